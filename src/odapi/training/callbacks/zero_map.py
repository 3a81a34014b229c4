"""Warns about a training whose loss falls while its detections stay wrong."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from odapi.losses.names import TOTAL_LOSS
from odapi.report.history import History
from odapi.training.run_state import RunState

CHECK = "zero_map"

_EVALUATIONS = 3
_ZERO = 0.001
_FALLEN = 0.8  # Of the loss at the first evaluation.


class ZeroMap(keras.callbacks.Callback):
    """Warns once if the best metric is 0 in the first evaluations, and the loss falls.

    It must come after `Evaluate`.

    Args:
        state: State of the run.
        history: The evaluations and the losses.
        note: Gets the warning.
    """

    def __init__(
        self, state: RunState, history: History, note: Callable[[str], None]
    ) -> None:
        super().__init__()
        self.state, self.history, self._note = state, history, note
        self._is_done = CHECK in state.plan.allow

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks at the evaluations if one was just made."""
        if not self._is_done and self.state.evaluated_step == self.state.step:
            self._look()

    def on_train_end(self, logs: Any = None) -> None:
        """Looks at the evaluations, the last one included."""
        if not self._is_done and self.state.evaluated_step == self.state.step:
            self._look()

    def _look(self) -> None:
        problem = find_zero_map(self.history, self.state.plan.best_metric)
        if problem:
            self._is_done = True
            self._note(f"warning: {problem} [{CHECK}]")


def find_zero_map(history: History, metric: str) -> str:
    """Returns the warning about a run, or "".

    Args:
        history: Its evaluations and losses.
        metric: The metric by which checkpoints are compared.
    """
    evaluated = [e for e in history.evaluations if metric in e["metrics"]]
    values = [e["metrics"][metric] for e in evaluated]
    if len(values) < _EVALUATIONS or not max(values) < _ZERO:
        return ""
    first_step = evaluated[0]["step"]
    losses = [(e["step"], e["losses"].get(TOTAL_LOSS)) for e in history.losses]
    early = [loss for step, loss in losses if loss is not None and step <= first_step]
    late = [loss for step, loss in losses if loss is not None and step > first_step]
    if not early or not late or not late[-1] < _FALLEN * float(np.mean(early)):
        return ""
    return (
        f"{metric} is {max(values):.2g} at best in {len(values)} evaluations, although "
        f"the loss has fallen from {np.mean(early):.4g} to {late[-1]:.4g}. Check in "
        "this order: 1. the moving statistics of batch norms, which evaluation uses: "
        "--set options.recalibrate_batch_norm=50; 2. the boxes drawn in TensorBoard "
        "(train_input_images, eval_side_by_side): classes and places of the evaluation "
        "data must be those of the training data; 3. the scores: "
        "post_processing.batch_non_max_suppression.score_threshold"
    )
