"""Writes a model as a checkpoint of the TF Object Detection API, for its tools."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from odapi.checkpoints import folder as folders
from odapi.config.label_map import save_label_map
from odapi.config.load import Config, save_config
from odapi.config.protos import options_pb2, train_pb2
from odapi.errors import CheckpointError
from odapi.outputs.folder import OutputFolder
from odapi.wording import counted, first_names
from odapi.zoo.checkpoint.writer import write_checkpoint

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector

PREFIX = "checkpoint/ckpt-0"

_STEP, _SAVE_COUNTER = "step", "save_counter"


@dataclasses.dataclass(frozen=True)
class ExportedCheckpoint:
    """A checkpoint in the form of the TF Object Detection API.

    Args:
        folder: Has the checkpoint, `pipeline.config` and `label_map.pbtxt`, as an
            archive of its zoo.
        prefix: TensorFlow's name of the checkpoint, such as for
            `train_config.fine_tune_checkpoint`.
        variables: Number of variables of the model.
        step: Number of training steps; None: unknown, and not written.
    """

    folder: pathlib.Path
    prefix: pathlib.Path
    variables: int
    step: int | None

    def lines(self) -> list[str]:
        """Returns the report for the user."""
        step = "unknown" if self.step is None else counted(self.step, "step")
        return [
            f"Wrote checkpoint {self.prefix}",
            f"  variables   {self.variables}; the optimizer's are left out",
            f"  trained     {step}",
            f"  config      {self.folder / folders.CONFIG}, without [odapi.options]",
            f"  classes     {self.folder / folders.LABEL_MAP}",
        ]


def export_checkpoint(
    loaded: "LoadedDetector", output: OutputFolder
) -> ExportedCheckpoint:
    """Writes the weights of a detector under the original's keys.

    Args:
        loaded: The detector.
        output: The folder; an earlier output of this function in it is replaced.

    Raises:
        CheckpointError: A part of the model does not exist in the original, or the
            folder cannot be written.
    """
    variables = original_variables(loaded)
    count = len(variables)
    counters = {_SAVE_COUNTER: np.array(1, np.int64)}
    if loaded.step is not None:
        counters[_STEP] = np.array(loaded.step, np.int64)
    folder = output.path
    config = _config(loaded, folder)

    def fill(writing: pathlib.Path) -> None:
        write_checkpoint(writing / PREFIX, {**variables, **counters})
        save_config(config, writing / folders.CONFIG)
        save_label_map(loaded.label_map, writing / folders.LABEL_MAP)

    folders.write_folder(folder, fill)
    output.finish()
    return ExportedCheckpoint(folder, folder / PREFIX, count, loaded.step)


def original_variables(loaded: "LoadedDetector") -> dict[str, np.ndarray]:
    """Returns the weights of a detector by the original's keys.

    Variables that the original has and never uses are included.

    Raises:
        CheckpointError: A part of the model does not exist in the original.
    """
    from odapi.checkpoints.weights import values
    from odapi.zoo.names.detector_keys import detector_keys
    from odapi.zoo.names.unused_variables import unused_variables

    detector = loaded.detector
    try:
        keys = detector_keys(detector)
    except TypeError as error:
        raise _no_counterpart(loaded, str(error)) from error
    arrays = values(detector.named_variables())
    others = sorted(arrays.keys() - keys.keys())
    if others:
        raise _no_counterpart(loaded, f"it has no {first_names(others, 3)}")
    found = {keys[n]: np.asarray(a, np.float32) for n, a in arrays.items()}
    return found | unused_variables(detector, loaded.config)


def _no_counterpart(loaded: "LoadedDetector", problem: str) -> CheckpointError:
    return CheckpointError(
        str(loaded.folder),
        f"cannot be written for the TF Object Detection API: {problem}",
        hint="only models that it can build have a checkpoint of its form; for other "
        "programs write a SavedModel: odapi export",
    )


def _config(loaded: "LoadedDetector", folder: pathlib.Path) -> Config:
    """Returns the config with the new paths, and without what the original lacks."""
    config = Config()
    config.CopyFrom(loaded.config)
    config.ClearExtension(options_pb2.options)  # type: ignore[arg-type]
    train = config.train_config
    train.fine_tune_checkpoint = str((folder / PREFIX).resolve())
    train.fine_tune_checkpoint_type = "full"
    train.fine_tune_checkpoint_version = train_pb2.V2
    label_map = str((folder / folders.LABEL_MAP).resolve())
    readers: list[Any] = [config.train_input_reader, *config.eval_input_reader]
    for reader in readers:
        if reader.label_map_path:
            reader.label_map_path = label_map
    if config.model.center_net.keypoint_estimation_task:  # It names keypoints, too.
        config.model.center_net.keypoint_label_map_path = label_map
    return config
