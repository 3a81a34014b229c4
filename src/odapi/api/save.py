"""Writes the checkpoint folder of a model outside of a training."""

import pathlib
from typing import TYPE_CHECKING

from odapi.checkpoints import folder as folders
from odapi.checkpoints.metadata import metadata_writer
from odapi.outputs.folder import OutputFolder

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector


def save_checkpoint(loaded: "LoadedDetector", output: OutputFolder) -> pathlib.Path:
    """Writes weights, config and label map into a folder, which `load_detector` reads.

    Args:
        loaded: The detector.
        output: The folder; an earlier checkpoint in it is replaced.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    describe = metadata_writer(loaded.config, loaded.label_map)

    def fill(folder: pathlib.Path) -> None:
        from odapi.checkpoints import batch_norm
        from odapi.checkpoints.training_state import save_facts
        from odapi.checkpoints.weights import save_weights

        save_weights(loaded.detector, folder / folders.WEIGHTS)
        batch_norm.save_if_used(folder, loaded.config, loaded.detector)
        describe(folder)
        if loaded.step is not None:
            save_facts(folder, {"step": loaded.step})

    folders.write_folder(output.path, fill)
    output.finish()
    return output.path
