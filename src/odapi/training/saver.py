"""Writes the checkpoints of a training."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from odapi.checkpoints import averages, training_state
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import save_arrays, values
from odapi.runtime.compat import sync_variables
from odapi.training import guard


class Saver:
    """Writes checkpoints, moves the pointers, deletes what need not be kept.

    Args:
        model_dir: Where the run lives.
        detector, optimizer: What is saved.
        describe: Puts the config and the label map into a folder.
        keep: Checkpoints kept besides the best and the last.
    """

    def __init__(
        self,
        model_dir: pathlib.Path,
        detector: Any,
        optimizer: keras.optimizers.Optimizer,
        describe: Callable[[pathlib.Path], None],
        keep: int = 0,
    ):
        self.model_dir, self.keep = model_dir, keep
        self._detector, self._optimizer = detector, optimizer
        self._describe = describe
        last = folders.latest(model_dir)
        self.saved_step = folders.step_of(last) if last else None

    @property
    def last(self) -> str:
        """The path of the last checkpoint, or ""."""
        return str(folders.latest(self.model_dir) or "")

    def save(self, step: int, facts: dict[str, Any], learning_rate: float) -> None:
        """Writes the checkpoint of a step, which becomes the last.

        Args:
            step: Updates done.
            facts: What resuming needs, for JSON.
            learning_rate: For the message if weights are lost.

        Raises:
            DivergedError: A weight is NaN or infinite; nothing is written.
            CheckpointError: The disk is full or cannot be written.
        """
        if step == self.saved_step:
            return
        sync_variables(self._detector)
        weights = values(self._detector.named_variables())
        for name, value in weights.items():
            if not np.isfinite(value).all():
                raise guard.lost_weight(step, name, learning_rate, self.last)

        def fill(folder: pathlib.Path) -> None:
            save_arrays(folder / folders.WEIGHTS, weights)
            averages.save(folder, self._detector, self._optimizer)
            training_state.save(
                folder, self._detector, self._optimizer, {"step": step} | facts
            )
            self._describe(folder)

        folder = folders.write(self.model_dir, step, fill)
        folders.point(self.model_dir, "last", folder)
        self.saved_step = step
        folders.prune(self.model_dir, self.keep)

    def mark_best(self, step: int, metric: str, value: float) -> None:
        """Makes the checkpoint of a step, which must be the last, the best one."""
        folder = folders.steps(self.model_dir)[step]
        folders.point(self.model_dir, "best", folder, metric=metric, value=value)
        folders.prune(self.model_dir, self.keep)
