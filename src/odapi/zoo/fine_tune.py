"""Fine-tuning from the original's checkpoints, as its own restoring does it.

"full" takes every weight whose shape fits, "detection" the feature extractor, of a
two-stage detector both halves, "classification" the backbone: of an archive of the
classification zoo, whose only object is `feature_extractor`, or of a detector.
"""

import dataclasses
import pathlib
from typing import Any

from odapi.checkpoints import folder as folders
from odapi.checkpoints import identify
from odapi.checkpoints.restore import KINDS, RestoreReport, adapt_shapes
from odapi.errors import CheckpointError, unknown_choice
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.names.center_extractor_keys import HOURGLASS
from odapi.zoo.names.detector_keys import detector_keys
from odapi.zoo.names.rcnn_extractor_keys import SECOND
from odapi.zoo.values import class_counts, read_values, roots

CLASSIFICATION = "classification"

_MODEL, _BACKBONE = "model", "feature_extractor"
_LAYERS = "/layer_with_weights-"


def is_tf2(path: str) -> bool:
    """Tells whether a path means a TF2 checkpoint, not one of ours."""
    file = pathlib.Path(path).expanduser()
    index = identify.tensorflow_index(file)
    if index is None or identify.is_lfs_pointer(index) or not identify.is_tf2(index):
        return False
    return not (file / folders.WEIGHTS).exists()


def restore_tf2(detector: Any, path: str, kind: str) -> RestoreReport:
    """Loads weights of the original's checkpoint into a detector.

    Args:
        detector: Built. Variables that get no value keep their initial one.
        path: A prefix, a folder of checkpoints or an unpacked archive of the zoo.
        kind: A key of `KINDS`.

    Raises:
        CheckpointError: It cannot be read, or nothing fits.
        ConfigError: The kind is unknown.
    """
    if kind not in KINDS:
        raise unknown_choice("train_config.fine_tune_checkpoint_type", kind, KINDS)
    checkpoint = Checkpoint(path)
    keys = _keys(detector, checkpoint, kind)
    found = read_values(checkpoint, keys)
    variables = detector.variables_for(kind)
    classes = {} if kind != "full" else class_counts(detector, keys, found.arrays)
    report = adapt_shapes(variables, found.arrays, checkpoint.prefix, kind, classes)
    return dataclasses.replace(report, unused=found.unused)


def _keys(detector: Any, checkpoint: Checkpoint, kind: str) -> dict[str, str]:
    """The keys there, by the names that the kind uses."""
    all_keys = detector_keys(detector)
    names = {id(v): name for name, v in detector.named_variables().items()}
    variables = detector.variables_for(kind)
    # Weights of what the original does not have are missing in its checkpoints.
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
            f"holds neither a detector (model/...) nor a backbone "
            f"({_BACKBONE}/...), but {', '.join(sorted(saved)) or 'no weights'}",
            hint="a detector is saved by tf.train.Checkpoint(model=detection_model)",
        )
    return _alone(keys, checkpoint, kind)


def _alone(keys: dict[str, str], checkpoint: Checkpoint, kind: str) -> dict[str, str]:
    """The keys where an extractor was saved without a detector."""
    if all(_is_hourglass(key) for key in keys.values()):
        # It has no part that classifies images: the first ExtremeNet of the zoo is
        # all of it, under this name.
        return {n: f"{_BACKBONE}{k.partition(HOURGLASS)[2]}" for n, k in keys.items()}
    if kind != CLASSIFICATION:
        raise CheckpointError(
            checkpoint.prefix,
            f"holds a backbone alone, which cannot be restored as {kind!r}",
            hint="set train_config.fine_tune_checkpoint_type: "
            f'"{CLASSIFICATION}"; detectors to start from: odapi zoo list',
        )
    first = {_number(key) for key in keys.values() if not _is_second(key)}
    return {
        n: _of_layer(_number(key) + (len(first) if _is_second(key) else 0), key)
        for n, key in keys.items()
    }


def _number(key: str) -> int:
    """Returns which layer of its model a key means."""
    return int(key.rpartition(_LAYERS)[2].partition("/")[0])


def _of_layer(number: int, key: str) -> str:
    return f"{_BACKBONE}{_LAYERS}{number}/{key.rpartition('/')[2]}"


def _is_second(key: str) -> bool:
    # The end of a backbone that looks at crops is counted by itself in a detector.
    return key.startswith(f"{SECOND}/")


def _is_hourglass(key: str) -> bool:
    # A MobileNet is called by the same name, and numbers its layers.
    return key.startswith(f"{HOURGLASS}/") and _LAYERS not in key
