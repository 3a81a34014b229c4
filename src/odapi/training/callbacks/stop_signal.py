"""Ctrl-C and SIGTERM: the first signal asks to save and end, the second aborts."""

from collections.abc import Callable
from typing import Any

import keras

from odapi.runtime.interrupts import Interrupts
from odapi.training.run_state import INTERRUPTED, RunState


class StopSignal(keras.callbacks.Callback):
    """Ends the run after the step in which a signal came.

    Until the first step of this run is done, a signal raises: nothing is lost by it.

    Args:
        state: State of the run.
        interrupts: Catches the signals.
        note: Gets a line for the user on the first signal.
    """

    def __init__(
        self, state: RunState, interrupts: Interrupts, note: Callable[[str], None]
    ):
        super().__init__()
        self.state, self.interrupts, self._note = state, interrupts, note

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the run if a signal has come."""
        self.interrupts.note = self._note
        self.interrupts.shield()
        if self.interrupts.requested and self.state.step < self.state.plan.num_steps:
            self.state.end(self.model, INTERRUPTED)
