"""Writes the checkpoints of a training."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from odapi.checkpoints import averages, batch_norm, training_state
from odapi.checkpoints import folder as folders
from odapi.checkpoints.start_folder import start_facts
from odapi.checkpoints.weights import save_arrays, values
from odapi.errors import CheckpointError, DivergedError
from odapi.models.batch_statistics import moving_statistics
from odapi.models.detector import Detector
from odapi.runtime.compat import sync_variables
from odapi.training.callbacks.nan_guard import advice
from odapi.training.recalibration import Recalibration
from odapi.training.run_state import INTERRUPTED, RunState


class _Best(NamedTuple):
    """A checkpoint with the best value of a metric."""

    folder: pathlib.Path
    metric: str
    value: float


class Checkpoint(keras.callbacks.Callback):
    """Writes checkpoints, moves the pointers, deletes checkpoints not to be kept.

    A checkpoint is written every `plan.save_every` steps, before each evaluation and
    at the end of the run.

    Args:
        state: State of the run.
        model_dir: Folder of the run.
        detector, optimizer: Their variables are saved.
        write_metadata: Writes the config and the label map into a folder.
        note: Gets a line for the user per checkpoint, or per failure to write one.
        resumed_from: The last checkpoint of an earlier run.
        evaluates: True if the run is evaluated every `plan.evaluate_every` steps.
        recalibration: Re-estimates batch statistics for checkpoints that are evaluated
            and for the last one; None: no checkpoint has such.
        writes: False writes nothing: another process does.
    """

    def __init__(
        self,
        state: RunState,
        model_dir: pathlib.Path,
        detector: Detector,
        optimizer: keras.optimizers.Optimizer,
        write_metadata: Callable[[pathlib.Path], None],
        note: Callable[[str], None],
        resumed_from: pathlib.Path | None = None,
        evaluates: bool = False,
        recalibration: Recalibration | None = None,
        writes: bool = True,
    ):
        super().__init__()
        self.writes = writes
        self.state, self.model_dir = state, model_dir
        self.last = resumed_from
        self.detector, self._optimizer = detector, optimizer
        self._write_metadata, self._note = write_metadata, note
        self._evaluates, self.recalibration = evaluates, recalibration
        self._unmarked: _Best | None = None  # Could not be marked yet.

    @property
    def last_path(self) -> str:
        """Path of the last checkpoint, or ""."""
        return str(self.last or "")

    @property
    def saved_step(self) -> int | None:
        """Step of the last checkpoint, or None."""
        return folders.step_of(self.last) if self.last else None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes a checkpoint if one is due; a failure does not end the training."""
        state, plan = self.state, self.state.plan
        if state.is_ending:
            return  # Saved by `on_train_end`.
        if state.is_due(plan.save_every) or self._is_evaluated():
            with self.tolerating():
                self.save()

    def _is_evaluated(self) -> bool:
        """Returns whether an evaluation of this step follows."""
        return self._evaluates and self.state.is_due(self.state.plan.evaluate_every)

    @contextlib.contextmanager
    def tolerating(self) -> Iterator[None]:
        """Reports a `CheckpointError` instead of raising it, except at the end."""
        try:
            yield
        except CheckpointError as error:
            if self.state.is_ending:
                raise
            self._note(f"CheckpointError: {error}\nTraining continues.")

    def on_train_end(self, logs: Any = None) -> None:
        """Writes the checkpoint of the last step.

        Raises:
            CheckpointError: It cannot be written.
        """
        self.save()

    def save(self) -> None:
        """Writes the checkpoint of the current step, which becomes the last.

        Raises:
            DivergedError: A weight is NaN or infinite; nothing is written.
            CheckpointError: The disk is full or cannot be written.
        """
        step = self.state.step
        if step == self.saved_step:
            return
        sync_variables(self.detector)
        if not self.writes:
            self._statistics()  # All processes measure them together.
            self.last = folders.path_of(self.model_dir, step)
            return
        weights = values(self.detector.named_variables())
        for name, value in weights.items():
            if not np.isfinite(value).all():
                raise DivergedError(
                    f"step {step}",
                    f"the weight {name} is NaN or infinite; it is not saved",
                    advice(self.state.learning_rate, self.last_path),
                )

        statistics = self._statistics()

        def fill(folder: pathlib.Path) -> None:
            save_arrays(folder / folders.WEIGHTS, weights)
            averages.save(folder, self.detector, self._optimizer)
            if statistics:
                batch_norm.save(folder, statistics)
            facts = self.state.facts() | start_facts(self.model_dir)
            training_state.save(folder, self.detector, self._optimizer, facts)
            self._write_metadata(folder)

        folder = folders.write(self.model_dir, step, fill)
        try:
            folders.set_pointer(self.model_dir, "last", folder)
        except CheckpointError:
            folders.remove(folder)  # Its space is needed for the next one.
            raise
        self.last = folder
        self._note(f"Saved checkpoint to {folder}")
        with self.tolerating():
            self._point_to_best()
        self._prune()

    def _statistics(self) -> dict[str, np.ndarray]:
        """Returns re-estimated batch statistics for the checkpoint; {}: it has none.

        An interrupted run ends at once; they are measured when it is loaded.
        """
        state = self.state
        is_last = state.is_ending and state.outcome.reason != INTERRUPTED
        if self.recalibration is None or not (is_last or self._is_evaluated()):
            return {}
        optimizer = self._optimizer if state.plan.average else None
        measured = self.recalibration.measured(state.step, optimizer)
        # Norms that no batch reached keep their statistics.
        return moving_statistics(self.detector) | measured

    def mark_best(self, metric: str, value: float) -> None:
        """Makes the last checkpoint the best one.

        Raises:
            CheckpointError: The disk is full or cannot be written; the checkpoint is
                kept, and marked when the next one is written.
        """
        if self.last is None or not self.writes:
            return
        self._unmarked = _Best(self.last, metric, value)
        self._point_to_best()
        self._prune()

    def _point_to_best(self) -> None:
        if self._unmarked is not None:
            folder, metric, value = self._unmarked
            folders.set_pointer(
                self.model_dir, "best", folder, metric=metric, value=value
            )
            self._unmarked = None

    def _prune(self) -> None:
        also = [self._unmarked.folder] if self._unmarked else []
        folders.prune(self.model_dir, self.state.plan.keep, also)
