"""Ends a training after a number of hours."""

from collections.abc import Callable
from typing import Any

import keras

from odapi.training.run_state import TIME_LIMIT, RunState


class EndInTime(keras.callbacks.Callback):
    """Ends the call after the first step beyond `plan.time_limit`.

    The step is saved and evaluated, as at any end. The learning rate follows the steps,
    not the clock: a note gives the share of the steps that were done.

    Args:
        state: State of the run.
        note: Gets the note.
        is_alone: False if other processes train too, whose clocks differ: all end after
            the next step.
    """

    def __init__(
        self, state: RunState, note: Callable[[str], None], is_alone: bool = True
    ):
        super().__init__()
        self._is_alone = is_alone
        self.state, self._note = state, note

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the run if the time is over."""
        state, limit = self.state, self.state.plan.time_limit
        if limit is None or state.is_ending or not limit.is_reached:
            return
        if self._is_alone:
            state.end(self.model, TIME_LIMIT)
        elif state.wanted_end:
            return
        else:
            state.wanted_end = TIME_LIMIT
        done, total = state.step, state.plan.num_steps
        self._note(
            f"Time limit of {limit.hours:g} h (options.max_hours) reached at step "
            f"{done} of {total}, {done / total:.0%} of the steps of the learning-rate "
            f"schedule; the learning rate is {state.learning_rate:.4g}"
        )
