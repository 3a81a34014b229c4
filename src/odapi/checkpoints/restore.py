"""Fine-tuning: initializes a detector with weights of an earlier training.

Weights that fit by name and shape are loaded; a report lists the others, and why.
"""

import dataclasses
import pathlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from odapi.checkpoints import averages, pretrained
from odapi.checkpoints import folder as folders
from odapi.checkpoints.class_rows import MovedRows, move_class_rows
from odapi.checkpoints.extractors import (
    extractor_beside,
    extractor_of,
    other_model,
)
from odapi.checkpoints.weights import load_arrays
from odapi.config.label_map import load_label_map
from odapi.config.load import load_config
from odapi.errors import CheckpointError, unknown_choice
from odapi.labels import LabelMap
from odapi.models.detector import Detector
from odapi.wording import counted, first_names

# Parts of the model restored by each type, by the original's names.
KINDS = {
    "full": "the whole model",
    "detection": "the feature extractor",
    "classification": "the backbone",
}

NOT_FINITE = "NaN or infinite there"  # Why a variable is not restored.


@dataclasses.dataclass(frozen=True)
class RestoreReport:
    """The result of restoring variables.

    Args:
        source: Path of the checkpoint.
        kind: A key of `KINDS`.
        loaded: Names of the restored variables.
        skipped: Reasons by the names of variables that keep their initial values.
        unused: Names in the checkpoint that the model does not have.
        classes: Lines about weights that were assigned by the names of the classes.
        extended: Names of restored kernels that got zeros for additional channels.
    """

    source: str
    kind: str
    loaded: tuple[str, ...]
    skipped: dict[str, str]
    unused: tuple[str, ...]
    classes: tuple[str, ...] = ()
    extended: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Returns the report as lines of text."""
        total = len(self.loaded) + len(self.skipped)
        shown = [
            f"Starting from {self.source} ({self.kind}: {KINDS[self.kind]})",
            f"  loaded      {len(self.loaded)} of {counted(total, 'variable')}",
            *self.classes,
        ]
        if self.extended:
            kernels = first_names(self.extended, 3)
            shown.append(f"  extended    {kernels}: 0 for additional channels")
        for reason, count in Counter(self.skipped.values()).most_common():
            names = [n for n, why in self.skipped.items() if why == reason]
            left = f"{count}, left at their initial values"
            shown.append(f"  not loaded  {left} ({reason}): {first_names(names, 3)}")
        if self.unused:
            shown.append(
                f"  not used    {len(self.unused)}: {first_names(self.unused, 3)}"
            )
        return shown


def restore(
    detector: Detector, path: str, kind: str, label_map: LabelMap | None = None
) -> RestoreReport:
    """Loads weights of another run into a detector.

    Args:
        detector: A built detector; variables without a value keep their initial one.
        path: A run or checkpoint of ours, or a file of backbone weights (.npz,
            .h5), which has only kind "classification".
        kind: A key of `KINDS`.
        label_map: The classes of the detector: kind "full" loads weights per class by
            the names of the classes. None: by their ids.

    Raises:
        CheckpointError: The path has no weights, or none fits.
        ConfigError: The kind is unknown.
    """
    if kind not in KINDS:
        raise unknown_choice("train_config.fine_tune_checkpoint_type", kind, KINDS)
    file = pathlib.Path(path)
    if pretrained.is_weight_file(file) and file.name != folders.WEIGHTS:
        if kind != "classification":
            raise CheckpointError(
                path,
                f"holds backbone weights, which cannot be restored as {kind!r}",
                hint='set train_config.fine_tune_checkpoint_type: "classification"',
            )
        variables = detector.variables_for(kind)
        arrays = pretrained.convert_names(pretrained.read(file), variables)
        return adapt_shapes(variables, arrays, path, kind, {})
    folder = folders.find(file)
    variables = detector.variables_for(kind)
    rows = MovedRows(_arrays(folder, detector, variables, kind))
    there = _label_map(folder)
    if kind == "full" and label_map is not None and there is not None:
        rows = move_class_rows(detector, rows.arrays, there, label_map)
    classes = {}
    if there is not None:
        classes = {"there": there.num_classes, "here": detector.num_classes}
    other = other_model(extractor_beside(folder), extractor_name(detector))
    report = adapt_shapes(variables, rows.arrays, str(folder), kind, classes, other)
    return dataclasses.replace(report, classes=tuple(rows.lines()))


def adapt_shapes(
    variables: Mapping[str, keras.Variable],
    arrays: Mapping[str, np.ndarray],
    source: str,
    kind: str,
    classes: Mapping[str, int],
    other_model: str = "",
) -> RestoreReport:
    """Assigns arrays to the variables of the same name and shape.

    Args:
        variables: The variables, by the names used in `arrays`.
        arrays: The arrays that were read.
        source: Their path, for messages.
        kind: A key of `KINDS`.
        classes: Numbers of classes "there" (checkpoint) and "here"; {} if unknown.
        other_model: Problem if no array fits because the model is another one, or "".

    Raises:
        CheckpointError: No array fits.
    """
    loaded: list[str] = []
    extended: list[str] = []
    skipped: dict[str, str] = {}
    for name, variable in variables.items():
        shape = tuple(variable.shape)
        if name not in arrays:
            skipped[name] = "missing there"
        elif _lacks_channels(arrays[name].shape, shape):
            variable.assign(_with_channels(arrays[name], shape))
            loaded.append(name)
            extended.append(name)
        elif arrays[name].shape != shape:
            skipped[name] = _shape_reason(arrays[name].shape, shape, classes)
        elif not np.isfinite(arrays[name]).all():
            skipped[name] = NOT_FINITE
        else:
            variable.assign(arrays[name])
            loaded.append(name)
    if not loaded and other_model:
        raise CheckpointError(
            source,
            f"{other_model}: none of its weights fits",
            hint="use a checkpoint of that extractor, or the config of the checkpoint",
        )
    if not loaded:
        raise CheckpointError(
            source,
            f"none of its {counted(len(arrays), 'variable')} fits one of the "
            f"{len(variables)} "
            f"of {KINDS[kind]}",
            hint=f"there: {first_names(arrays, 3)}; here: {first_names(variables, 3)}",
        )
    unused = tuple(n for n in arrays if n not in variables)
    return RestoreReport(
        source, kind, tuple(loaded), skipped, unused, extended=tuple(extended)
    )


def _lacks_channels(there: tuple[int, ...], here: tuple[int, ...]) -> bool:
    """Returns whether a convolution of RGB images is to read additional channels."""
    if len(there) != 4 or len(here) != 4 or not 3 == there[2] < here[2]:
        return False
    return (*there[:2], there[3]) == (*here[:2], here[3])


def _with_channels(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns a kernel `[h, w, 3, n]` with zeros for additional channels.

    The first outputs are those that the weights were trained for.
    """
    whole = np.zeros(shape, kernel.dtype)
    whole[:, :, :3] = kernel
    return whole


def _arrays(
    folder: pathlib.Path, detector: Detector, variables: Mapping[str, Any], kind: str
) -> dict[str, np.ndarray]:
    """Returns the arrays of a checkpoint of odapi, by the names that the kind uses."""
    arrays = load_arrays(folder / folders.WEIGHTS)
    if (folder / folders.AVERAGES).is_file() and averages.are_evaluated(folder):
        arrays |= load_arrays(folder / folders.AVERAGES)
    if (folder / folders.BATCH_NORM).is_file():
        arrays |= load_arrays(folder / folders.BATCH_NORM)
    if kind == "full":
        return arrays
    full_names = {id(v): n for n, v in detector.named_variables().items()}
    names = {full_names[id(v)]: short for short, v in variables.items()}
    return {names[n]: array for n, array in arrays.items() if n in names}


def extractor_name(detector: Detector) -> str:
    """Returns the extractor of a detector; "" if it was assembled from parts."""
    text = detector.pipeline_config
    return extractor_of(load_config(text)) if text else ""


def _label_map(folder: pathlib.Path) -> LabelMap | None:
    """Returns the classes of a checkpoint; None if they cannot be read."""
    try:
        return load_label_map(folder / folders.LABEL_MAP)
    except (OSError, ValueError):
        return None


def _shape_reason(
    there: tuple[int, ...], here: tuple[int, ...], classes: Mapping[str, int]
) -> str:
    if classes and classes["there"] != classes["here"]:
        return f"{classes['there']} classes there, {classes['here']} here"
    return f"shape {there} there, {here} here"
