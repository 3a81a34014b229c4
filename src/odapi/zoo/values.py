"""Values of a TF2 checkpoint by the variable names of a detector."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from odapi.zoo.checkpoint.reader import OBJECT_GRAPH, SUFFIX, Checkpoint

if TYPE_CHECKING:
    from odapi.models.detector import Detector

AVERAGE = "average"  # Slot of moving averages in the original's optimizer.

_SLOT = "/.OPTIMIZER_SLOT/"
_OPTIMIZER = "optimizer"
# Variables of the training, not of the model.
_COUNTERS = ("step", "save_counter")
_CLASSES, _BOXES = "/_class_predictor_layers/", "/_box_encoder_layers/"
_CENTERS = "/_prediction_head_dict/object_center/"
_BOX_CODE = 4
# Class predictors of two-stage detectors, which always have a background class.
_REGIONS = (
    "model/_mask_rcnn_box_predictor/_class_prediction_head/",
    "model/_rfcn_box_predictor/_class_predictor_layers/",
)


@dataclasses.dataclass(frozen=True)
class Values:
    """Values of a checkpoint for a detector.

    Args:
        arrays: By variable name; names without a value are left out.
        unused: Keys of variables that the detector does not have, without suffix.
    """

    arrays: dict[str, np.ndarray]
    unused: tuple[str, ...]


def read_values(checkpoint: Checkpoint, keys: Mapping[str, str]) -> Values:
    """Reads the variables of the given keys.

    Args:
        checkpoint: The checkpoint.
        keys: The original's keys by variable name.

    Raises:
        CheckpointError: A variable is damaged.
    """
    stored = {name: checkpoint.find(key) for name, key in keys.items()}
    arrays = {name: checkpoint[key] for name, key in stored.items() if key}
    used = set(stored.values())
    unused = [k.removesuffix(SUFFIX) for k in checkpoint if k not in used]
    return Values(arrays, tuple(k for k in unused if _is_weight(k)))


def read_slots(
    checkpoint: Checkpoint, keys: Mapping[str, str], slot: str
) -> dict[str, np.ndarray]:
    """Reads one slot of the optimizer, by variable name.

    Args:
        checkpoint: The checkpoint.
        keys: The original's keys by variable name.
        slot: For example "momentum" or "average".
    """
    stored = {n: checkpoint.graph.slot_key(k, slot) for n, k in keys.items()}
    return {n: checkpoint[k] for n, k in stored.items() if k and k in checkpoint}


def step_of(checkpoint: Checkpoint) -> int | None:
    """Returns the number of training steps; None for exported models."""
    key = f"step{SUFFIX}"
    return int(checkpoint[key]) if key in checkpoint.keys() else None


def roots(checkpoint: Checkpoint) -> set[str]:
    """Returns the names of the saved root objects, for example "model"."""
    names = (k.removesuffix(SUFFIX) for k in checkpoint)
    return {n.split("/")[0] for n in names if _is_weight(n)}


def class_counts(
    detector: "Detector", keys: Mapping[str, str], arrays: Mapping[str, np.ndarray]
) -> dict[str, int]:
    """Returns the numbers of classes "there" and "here"; {} if they are equal.

    They follow from the biases of the last layers: per anchor four box values and one
    score per class, in a CenterNet one heatmap per class, and per region one score per
    class, or several if they depend on the position.
    """
    here = {n: tuple(v.shape) for n, v in detector.named_variables().items()}
    biases = [n for n in keys if n.endswith("/bias") and n in arrays and n in here]
    heatmaps = [n for n in biases if _CENTERS in keys[n]]
    if heatmaps:
        last = max(heatmaps, key=lambda n: keys[n])  # Layers are numbered.
        there = arrays[last].shape[0]
        same = there == detector.num_classes
        return {} if same else {"there": there, "here": detector.num_classes}
    regions = [n for n in biases if keys[n].startswith(_REGIONS)]
    if regions:
        each = here[regions[0]][0] // (detector.num_classes + 1)
        there = arrays[regions[0]].shape[0] // each - 1
        same = there == detector.num_classes
        return {} if same else {"there": there, "here": detector.num_classes}
    boxes = [n for n in biases if _BOXES in keys[n]]
    scores = [n for n in biases if _CLASSES in keys[n]]
    anchors = sum(here[n][0] for n in boxes) // _BOX_CODE
    if not anchors or not scores:
        return {}
    slots = [_total(here[n] for n in scores), _total(arrays[n].shape for n in scores)]
    if slots[0] == slots[1] or any(n % anchors for n in slots):
        return {}
    # With or without a background, which the last layer counts as a class.
    background = slots[0] // anchors - detector.num_classes
    return {"there": slots[1] // anchors - background, "here": detector.num_classes}


def _total(shapes: Iterable[tuple[int, ...]]) -> int:
    return sum(shape[0] for shape in shapes)


def _is_weight(key: str) -> bool:
    root = key.split("/")[0]
    own = root not in (*_COUNTERS, _OPTIMIZER, OBJECT_GRAPH)
    return own and _SLOT not in key
