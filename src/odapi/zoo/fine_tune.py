"""Fine-tuning from the original's checkpoints, with its restore semantics.

"full" restores every weight whose shape fits, "detection" the feature extractor (of a
two-stage detector both halves), "classification" the backbone: of an archive of the
classification zoo, whose only object is `feature_extractor`, or of a detector.
"""

import dataclasses
import pathlib

from odapi.checkpoints import folder as folders
from odapi.checkpoints import identify
from odapi.checkpoints.extractors import extractor_beside, other_family, other_model
from odapi.checkpoints.restore import (
    KINDS,
    RestoreReport,
    adapt_shapes,
    extractor_name,
)
from odapi.errors import CheckpointError, unknown_choice
from odapi.models.detector import Detector
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.names.center_extractor_keys import HOURGLASS
from odapi.zoo.names.detector_keys import detector_keys
from odapi.zoo.names.rcnn_extractor_keys import SECOND
from odapi.zoo.values import class_counts, read_values, roots

CLASSIFICATION = "classification"

_MODEL, _BACKBONE = "model", "feature_extractor"
_LAYERS = "/layer_with_weights-"


def is_tf2(path: str) -> bool:
    """Returns whether a path is a TF2 checkpoint, not one of odapi."""
    file = pathlib.Path(path).expanduser()
    index = identify.tensorflow_index(file)
    if index is None or identify.is_lfs_pointer(index) or not identify.is_tf2(index):
        return False
    return not (file / folders.WEIGHTS).exists()


def restore_tf2(detector: Detector, path: str, kind: str) -> RestoreReport:
    """Loads weights of an original checkpoint into a detector.

    Args:
        detector: Built. Variables without a value keep their initial one.
        path: A prefix, a folder of checkpoints or an unpacked archive of the zoo.
        kind: A key of `KINDS`.

    Raises:
        CheckpointError: It cannot be read, or no weight fits.
        ConfigError: The kind is unknown.
    """
    if kind not in KINDS:
        raise unknown_choice("train_config.fine_tune_checkpoint_type", kind, KINDS)
    checkpoint = Checkpoint(path)
    keys = _keys(detector, checkpoint, kind)
    found = read_values(checkpoint, keys)
    variables = detector.variables_for(kind)
    classes = {} if kind != "full" else class_counts(detector, keys, found.arrays)
    there = extractor_beside(checkpoint.index.parent) or other_family(
        checkpoint, keys.values()
    )
    other = other_model(there, extractor_name(detector))
    report = adapt_shapes(
        variables, found.arrays, checkpoint.prefix, kind, classes, other
    )
    return dataclasses.replace(report, source=checkpoint.described, unused=found.unused)


def _keys(detector: Detector, checkpoint: Checkpoint, kind: str) -> dict[str, str]:
    """Returns the checkpoint's keys by the variable names of the kind."""
    all_keys = detector_keys(detector)
    names = {id(v): name for name, v in detector.named_variables().items()}
    variables = detector.variables_for(kind)
    # Weights that the original does not have are not in its checkpoints.
    keys = {
        short: all_keys[names[id(v)]]
        for short, v in variables.items()
        if names[id(v)] in all_keys
    }
    saved = roots(checkpoint)
    if _MODEL in saved:
        return keys
    if _BACKBONE not in saved:
        raise CheckpointError(
            checkpoint.prefix,
            f"contains neither a detector (model/...) nor a backbone "
            f"({_BACKBONE}/...), but {', '.join(sorted(saved)) or 'no weights'}",
            hint="save a detector with tf.train.Checkpoint(model=detection_model)",
        )
    return _backbone_only(keys, checkpoint, kind)


def _backbone_only(
    keys: dict[str, str], checkpoint: Checkpoint, kind: str
) -> dict[str, str]:
    """Returns the keys in a checkpoint of an extractor without a detector."""
    if all(_is_hourglass(key) for key in keys.values()):
        # It has no classification part: the first ExtremeNet of the zoo is the whole
        # extractor, under this name.
        return {n: f"{_BACKBONE}{k.partition(HOURGLASS)[2]}" for n, k in keys.items()}
    if kind != CLASSIFICATION:
        raise CheckpointError(
            checkpoint.prefix,
            f"contains only a backbone, which cannot be restored as {kind!r}",
            hint="set train_config.fine_tune_checkpoint_type: "
            f'"{CLASSIFICATION}"; list detectors with: odapi zoo list',
        )
    first = {_number(key) for key in keys.values() if not _is_second(key)}
    return {
        n: _of_layer(_number(key) + (len(first) if _is_second(key) else 0), key)
        for n, key in keys.items()
    }


def _number(key: str) -> int:
    """Returns the number of the layer in a key."""
    return int(key.rpartition(_LAYERS)[2].partition("/")[0])


def _of_layer(number: int, key: str) -> str:
    return f"{_BACKBONE}{_LAYERS}{number}/{key.rpartition('/')[2]}"


def _is_second(key: str) -> bool:
    # In a detector, layers of the second stage's backbone are numbered separately.
    return key.startswith(f"{SECOND}/")


def _is_hourglass(key: str) -> bool:
    # A MobileNet has the same name, but numbered layers.
    return key.startswith(f"{HOURGLASS}/") and _LAYERS not in key
