"""Kind of the model at a path: run, checkpoint, exported model or Keras file.

Decided here only, for Python and for the command line.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from odapi.checkpoints import folder as folders
from odapi.errors import CheckpointError
from odapi.exporters.formats import EXPORTERS

if TYPE_CHECKING:
    from odapi.inference.predictor import Predictor
    from odapi.labels import LabelMap

ACCEPTED = (
    "a run folder (--model-dir of `odapi train`), one of its checkpoints, a folder "
    "written by `odapi export`, a SavedModel, a .tflite, .onnx or OpenVINO .xml file, "
    "or a .keras file"
)
_MAX_NAMES = 5


@dataclasses.dataclass(frozen=True)
class ModelPath:
    """Where a model is.

    Args:
        path: As given.
        exported: The exported program that `predict` runs; None: the weights are
            loaded into a detector.
        format: Key of the exported format in `EXPORTERS`, or "".
        weights: Checkpoint folder of the same model; None: only the program is there.
        keras_file: The .keras file, if the model is one.
    """

    path: pathlib.Path
    exported: pathlib.Path | None
    format: str
    weights: pathlib.Path | None
    keras_file: pathlib.Path | None = None

    @property
    def title(self) -> str:
        """Name of the exported format in messages, or ""."""
        return EXPORTERS[self.format].title if self.format else ""

    @property
    def is_program(self) -> bool:
        """True if the path names the exported program itself, or has nothing else."""
        if self.exported is None or self.weights is None:
            return self.exported is not None
        named = {self.path.resolve()}
        if self.path.is_file():  # `saved_model.pb` stands for its folder.
            named.add(self.path.parent.resolve())
        return self.exported.resolve() in named

    def load_exported(
        self, label_map: "str | os.PathLike[str] | LabelMap | None" = None
    ) -> "Predictor":
        """Returns the exported program as a predictor.

        Args:
            label_map: The classes, or their file; None: those beside the program.

        Raises:
            CheckpointError: The path is no exported model, or cannot be loaded.
        """
        if self.exported is None:
            raise CheckpointError(str(self.path), "is not an exported model")
        return EXPORTERS[self.format].load(self.exported, label_map)


def locate(path: str | os.PathLike[str]) -> ModelPath:
    """Returns what a path given as a model is.

    Args:
        path: A run folder (its best checkpoint, else the last), a checkpoint folder,
            a folder written by `odapi export` or the exported program in it.

    Raises:
        CheckpointError: The path is none of these; the message names what is there
            and what is accepted.
    """
    path = pathlib.Path(path).expanduser()
    for name, exporter in EXPORTERS.items():
        exported = exporter.find(path)
        if exported is not None:
            return ModelPath(path, exported, name, _weights_beside(exported))
    if path.suffix == ".keras" and path.is_file():
        return ModelPath(path, None, "", None, path)
    try:
        return ModelPath(path, None, "", folders.find(path))
    except CheckpointError as error:
        raise _explained(path, error) from None


def locate_weights(path: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the checkpoint folder of a model, of an exported one as well.

    Raises:
        CheckpointError: The path is no model, or an exported one without weights.
    """
    place = locate(path)
    if place.weights is None and place.keras_file is not None:
        raise CheckpointError(
            str(path),
            "is a .keras file, not a checkpoint",
            hint="ObjectDetector.load(path) has the methods evaluate, export and train",
        )
    if place.weights is None:
        raise CheckpointError(
            str(path),
            f"is a {place.title} without weights; it can only predict",
            hint="evaluate, export and train need a run folder, a checkpoint, or the "
            "whole folder that `odapi export` wrote",
        )
    return place.weights


def _weights_beside(exported: pathlib.Path) -> pathlib.Path | None:
    for folder in (exported, exported.parent):
        if (folder / "checkpoint" / folders.WEIGHTS).is_file():
            return folder / "checkpoint"
    return None


def _explained(path: pathlib.Path, error: CheckpointError) -> CheckpointError:
    problem = error.problem
    if path.is_dir() and not (path / folders.CONFIG).is_file():
        names = sorted(entry.name for entry in path.iterdir())
        problem += f"; the folder contains {_shortened(names)}"
    hint = f"{error.hint}\n  accepted: {ACCEPTED}" if error.hint else ACCEPTED
    return CheckpointError(error.place, problem, hint)


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMES])
    more = len(names) - _MAX_NAMES
    return (shown + (f" and {more} more" if more > 0 else "")) or "nothing"
