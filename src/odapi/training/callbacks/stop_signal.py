"""Ctrl-C and SIGTERM: the first signal asks to save and end, the second aborts."""

from collections.abc import Callable
from typing import Any

import keras

from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.interrupts import Interrupts
from odapi.training.run_state import INTERRUPTED, RunState

_SINGLE = Strategy()


class StopSignal(keras.callbacks.Callback):
    """Ends the run after the step in which a signal came.

    Until the first step of this run is done, a signal raises: nothing is lost by it.

    Args:
        state: State of the run.
        interrupts: Catches the signals.
        note: Gets a line for the user on the first signal.
        strategy: The processes; they end together, whichever of them gets the signal.
    """

    def __init__(
        self,
        state: RunState,
        interrupts: Interrupts,
        note: Callable[[str], None],
        strategy: Strategy = _SINGLE,
    ):
        super().__init__()
        self._strategy = strategy
        self.state, self.interrupts, self._note = state, interrupts, note

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the run if a signal has come."""
        self.interrupts.note = self._note
        self.interrupts.shield()
        state = self.state
        wanted = INTERRUPTED if self.interrupts.requested else state.wanted_end
        reason = self._strategy.should_stop(wanted)
        if reason and state.step < state.plan.num_steps:
            state.end(self.model, reason)
