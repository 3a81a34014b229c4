"""Stops a training that diverges, with an error that says where to look."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from odapi.errors import DivergedError
from odapi.losses.names import TOTAL_LOSS
from odapi.training.divergence.recorder import StepRecorder
from odapi.training.run_state import RunState

# Trainings with a loss this many times that of the first step did not recover.
_MAX_GROWTH = 1000.0


class NaNGuard(keras.callbacks.Callback):
    """Raises `DivergedError` after a step with a loss that is NaN or far too large.

    Args:
        state: State of the run; `reference_loss` is set by the first good step.
        last_checkpoint: Returns the path of the last checkpoint, or "".
        recorder: Saves the step; None: it is not saved.
    """

    def __init__(
        self,
        state: RunState,
        last_checkpoint: Callable[[], str],
        recorder: StepRecorder | None = None,
    ):
        super().__init__()
        self.state, self._last_checkpoint = state, last_checkpoint
        self._recorder = recorder
        self._previous_ids: Sequence[str] = ()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Keeps what is needed to repeat the step."""
        if self._recorder is not None:
            self._recorder.before_step()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Checks the losses of the step.

        Raises:
            DivergedError: A loss or a gradient is NaN or infinite, or a loss is
                absurdly large.
        """
        state = self.state
        image_ids = state.batch.image_ids if state.batch else ()
        problem = self._find(image_ids)
        if problem:
            hint = advice(state.learning_rate, self._last_checkpoint())
            if self._recorder is not None:
                hint = f"{self._recorder.save(problem)}; {hint}"
            raise DivergedError(f"step {state.step}", problem, hint.removeprefix("; "))
        self._previous_ids = image_ids
        if state.reference_loss is None:
            state.reference_loss = state.losses.get(TOTAL_LOSS)

    def _find(self, image_ids: Sequence[str]) -> str:
        """Returns what diverged in the step, with its images; "" if nothing did."""
        diverged = diverged_losses(self.state.losses, self.state.reference_loss)
        values = " and ".join(f"{name} is {v:.4g}" for name, v in diverged.items())
        if not values and self._recorder is not None and self._recorder.was_skipped():
            values = (
                "the losses are finite, but a gradient is NaN, infinite or too large"
            )
        if not values:
            return ""
        problem = f"{values}; images of this step: {', '.join(image_ids)}"
        if self._previous_ids:  # Its gradients may have broken the weights.
            problem += f"; of the step before: {', '.join(self._previous_ids)}"
        return problem


def diverged_losses(
    losses: Mapping[str, float], reference: float | None
) -> dict[str, float]:
    """Returns the parts of a step's losses that have diverged; usually {}.

    Args:
        losses: Losses of one step, by name.
        reference: Total loss of the first step; None at the first step.
    """
    parts = {n: v for n, v in losses.items() if n != TOTAL_LOSS}
    not_finite = {n: v for n, v in parts.items() if not math.isfinite(v)}
    if not_finite:
        return not_finite
    total = losses.get(TOTAL_LOSS, 0.0)
    limit = _MAX_GROWTH * max(reference or 0.0, 1.0)
    if math.isfinite(total) and (not reference or total <= limit):
        return {}
    largest = max(parts, key=lambda n: abs(parts[n]), default=TOTAL_LOSS)
    return {largest: losses[largest]}


def advice(learning_rate: float, last_checkpoint: str) -> str:
    """Returns the hint of a `DivergedError`."""
    kept = (
        f"the last good checkpoint is {last_checkpoint}"
        if last_checkpoint
        else "no checkpoint was saved yet"
    )
    return (
        f"the learning rate is {learning_rate:.4g}: try a tenth of it, with a warm-up "
        "(published configs are made for large batches); or "
        "train_config.gradient_clipping_by_norm: 10; check these images and their "
        f"boxes with `odapi data inspect`; {kept}"
    )
