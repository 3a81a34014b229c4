"""Ends a training whose best metric no longer improves."""

from typing import Any

import keras

from odapi.report.history import History
from odapi.training.plan import Plan
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
        state = self.state
        if not state.is_ending and state.evaluated_step == state.step:
            self.catch_up()

    def catch_up(self) -> None:
        """Ends the run if the evaluations made so far say so."""
        state = self.state
        if not state.is_ending and stops_early(self.history, state.plan):
            state.end(self.model, EARLY_STOPPING)


def stops_early(history: History, plan: Plan) -> bool:
    """Returns True if too many evaluations brought no improvement."""
    if not plan.patience:
        return False
    _, _, without_improvement = history.best(plan.best_metric, plan.min_delta)
    return without_improvement >= plan.patience
