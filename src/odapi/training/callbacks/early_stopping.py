"""Ends a training whose best metric no longer improves."""

from typing import Any

import keras

from odapi.report.history import History
from odapi.training.run_state import EARLY_STOPPING, RunState


class EarlyStopping(keras.callbacks.Callback):
    """Ends the run after `plan.patience` evaluations without improvement.

    Evaluations of earlier runs in the same folder count. It must come after
    `Evaluate`.

    Args:
        state: State of the run.
        history: The evaluations.
    """

    def __init__(self, state: RunState, history: History):
        super().__init__()
        self.state, self.history = state, history

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the run if the last evaluations brought no improvement."""
        state, plan = self.state, self.state.plan
        if not plan.patience or state.is_ending or state.evaluated_step != state.step:
            return
        _, _, without_improvement = self.history.best(plan.best_metric, plan.min_delta)
        if without_improvement >= plan.patience:
            state.end(self.model, EARLY_STOPPING)
