"""Writes the checkpoint folder of a model outside of a training."""

import pathlib
from typing import TYPE_CHECKING

from odapi.checkpoints import folder as folders
from odapi.checkpoints.metadata import metadata_writer
from odapi.errors import CheckpointError

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector


def save_checkpoint(loaded: "LoadedDetector", path: pathlib.Path) -> pathlib.Path:
    """Writes weights, config and label map into a folder, which `load_detector` reads.

    Args:
        loaded: The detector.
        path: A new or empty folder, or a checkpoint folder, which is replaced.

    Raises:
        CheckpointError: The folder has other content, or cannot be written.
    """
    path = path.expanduser()
    if path.exists() and not path.is_dir():
        raise CheckpointError(str(path), "is a file; a checkpoint is a folder")
    if path.is_dir() and any(path.iterdir()) and not (path / folders.WEIGHTS).is_file():
        raise CheckpointError(
            str(path),
            "has other content; a checkpoint needs its own folder",
            hint=f"write to {path / 'checkpoint'}",
        )
    describe = metadata_writer(loaded.config, loaded.label_map)

    def fill(folder: pathlib.Path) -> None:
        from odapi.checkpoints.training_state import save_facts
        from odapi.checkpoints.weights import save_weights

        save_weights(loaded.detector, folder / folders.WEIGHTS)
        describe(folder)
        if loaded.step is not None:
            save_facts(folder, {"step": loaded.step})

    return folders.write_folder(path, fill)
