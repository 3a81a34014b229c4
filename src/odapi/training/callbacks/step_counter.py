"""Advances the state of a run after every step."""

from typing import Any

import keras

from odapi.training.prefetcher import Prefetcher
from odapi.training.run_state import RunState
from odapi.training.step_losses import StepLosses


class StepCounter(keras.callbacks.Callback):
    """Counts steps and records the batch, the losses and the time of each.

    It must be the first callback: the others read the state that it updates.

    Args:
        state: The state to update.
        prefetcher: Source of the batches.
        num_shares: Number of processes that load a share of each batch.
    """

    def __init__(self, state: RunState, prefetcher: Prefetcher, num_shares: int = 1):
        super().__init__()
        self._num_shares = num_shares
        self.state, self.prefetcher = state, prefetcher
        self._step_losses = StepLosses()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Follows the means of Keras, which restart here."""
        self._step_losses.restart()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts to measure the time of a step."""
        self.state.meter.resume()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Updates the state; ends the run after its last step."""
        state = self.state
        state.batch = self.prefetcher.next_done()
        state.data_position = state.batch.position
        images = len(state.batch.image_ids) * self._num_shares
        state.meter.step_done(state.batch.ready, images)
        state.losses = self._step_losses.of_step(logs or {})
        state.outcome.step += 1
        if state.step >= state.plan.num_steps:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        """Raises the error of a pipeline that ended before the last step."""
        if not self.state.is_ending:
            self.prefetcher.raise_own_error()
