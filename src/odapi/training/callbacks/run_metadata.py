"""Writes the config and the label map of a run into its folder."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras

from odapi.checkpoints.run_folder import write_run_metadata
from odapi.errors import CheckpointError
from odapi.files import unwritable
from odapi.training.callbacks.checkpoint import Checkpoint
from odapi.training.messages import print_kept


class RunMetadata(keras.callbacks.Callback):
    """Writes the metadata of a new run at once, that of a resumed one after a step.

    So the config in the folder is always one that the run was trained with.

    Args:
        write_metadata: Writes config and label map into a folder.
        model_dir: Folder of the run.
        checkpoint: Knows whether the run is resumed, and whether this process writes.

    Raises:
        CheckpointError: The files of a new run cannot be written.
    """

    def __init__(
        self,
        write_metadata: Callable[[pathlib.Path], None],
        model_dir: pathlib.Path,
        checkpoint: Checkpoint,
    ):
        super().__init__()
        self._write, self._model_dir = write_metadata, model_dir
        self._checkpoint, self._is_written = checkpoint, not checkpoint.writes
        if checkpoint.last is None and checkpoint.writes:
            self._write_all()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes the files after the first step of a resumed run."""
        if not self._is_written:
            with self._checkpoint.tolerating():
                self._write_all()

    def _write_all(self) -> None:
        try:
            kept = write_run_metadata(self._model_dir, self._write)
        except OSError as problem:
            raise unwritable(self._model_dir, problem, CheckpointError) from problem
        print_kept(kept)
        self._is_written = True
