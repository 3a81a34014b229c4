"""Writes mean losses to `losses.jsonl` and to trackers."""

from typing import Any

import keras

from odapi.report.history import LEARNING_RATE, History
from odapi.trackers.tracker import Tracker
from odapi.training.run_state import RunState
from odapi.training.step_losses import RunningMean


class LossLog(keras.callbacks.Callback):
    """Logs the mean losses and the learning rate every `plan.log_every` steps.

    The first step is logged, too.

    Args:
        state: State of the run.
        history: Writes `losses.jsonl`.
        tracker: Also gets the steps per second; None: no tracker.
    """

    def __init__(
        self, state: RunState, history: History, tracker: Tracker | None = None
    ):
        super().__init__()
        self.state, self.history, self.tracker = state, history, tracker
        self._means = RunningMean()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds the losses of the step; logs the means when they are due."""
        state = self.state
        self._means.add(state.losses)
        if not (state.step == 1 or state.is_due(state.plan.log_every)):
            return
        means, rate = self._means.take(), state.learning_rate
        self.history.add_losses(state.step, means, rate)
        if self.tracker is None:
            return
        scalars = means | {LEARNING_RATE: rate}
        if state.meter.seconds_per_step:
            scalars["steps_per_sec"] = 1.0 / state.meter.seconds_per_step
        self.tracker.scalars(state.step, scalars)
