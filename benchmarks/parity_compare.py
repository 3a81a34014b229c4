"""The comparison of one of our models with the stored outputs of the original."""

from collections.abc import Iterator

import keras
import numpy as np

from benchmarks import parity_center, parity_rcnn, parity_step, parity_training
from benchmarks.parity_golden import GoldenFolder
from benchmarks.parity_inputs import fill, resized_inputs
from benchmarks.parity_rows import (
    NOTHING,
    Arrays,
    Comparison,
    Row,
    feature_maps,
    heads,
)
from odapi.build.detector import build_detector
from odapi.errors import ConfigError
from odapi.models.center.center_net import CenterNet
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.zoo.names.detector_keys import detector_keys


class UnsupportedError(Exception):
    """The model is not one of ours yet."""


def compare(folder: GoldenFolder, name: str) -> Iterator[Row]:
    """Yields the rows of a model.

    Raises:
        UnsupportedError: We have no such model.
        ConfigError: The folder is not complete.
    """
    golden = folder.open(name)
    try:
        detector = build_detector(folder.config(golden.meta, training=False))
        keys = detector_keys(detector)
    except (ConfigError, TypeError) as error:
        raise UnsupportedError(str(error).split("\n")[0]) from error
    return _rows(folder, golden, detector, keys)


# Of DeepMAC, nothing between the pixels and the heads is stored.
_NOT_ALWAYS = ("feature maps", "training feature maps")


def _rows(folder, golden, detector, keys) -> Iterator[Row]:
    for row in _all_rows(folder, golden, detector, keys):
        if row.tensor != NOTHING or row.group not in _NOT_ALWAYS:
            yield row


def _all_rows(folder, golden, detector, keys) -> Iterator[Row]:
    fill(folder, detector, keys)
    parity_rcnn.cut_as_stored(detector, golden.arrays)
    inputs = resized_inputs(folder, golden.meta, training=False)
    yield from _inference(Comparison(golden), detector, inputs)
    if any(key.startswith("train/") for key in golden.arrays):
        yield from parity_training.rows(folder, golden, keys)


def _inference(compared: Comparison, detector, inputs: Arrays) -> Iterator[Row]:
    outputs = parity_step.infer(detector, inputs)
    true_size = inputs["true_size"]
    shapes = np.concatenate([true_size, np.full_like(true_size[:, :1], 3)], axis=1)
    yield compared.row(
        "preprocessed image",
        {"preprocessed": outputs["preprocessed"], "true_image_shapes": shapes},
    )
    yield compared.row("feature maps", feature_maps("predict", outputs))
    yield compared.row("raw heads", heads("predict", outputs))
    if isinstance(detector, CenterNet):
        yield compared.row("detections", parity_center.detections(compared, outputs))
        return
    size = inputs["images"].shape[1:3]
    if isinstance(detector, FasterRCNN):
        anchors = keras.ops.convert_to_numpy(detector.anchors(inputs))
        pixels = anchors * np.tile(np.float32(size), 2)
        yield compared.row("anchors", {"predict/anchors": pixels})
        yield from _found(compared, outputs)
        return
    anchors = detector.anchors(size)
    tiled = np.broadcast_to(anchors, (len(true_size), *anchors.shape))
    yield compared.row(
        "anchors",
        {
            "anchors": anchors,
            "predict/anchors": anchors,
            "predict/final_anchors": tiled,
        },
    )
    yield from _found(compared, outputs)


def _found(compared: Comparison, outputs: Arrays) -> Iterator[Row]:
    yield compared.row("detections", _detections(compared, outputs))
    raw = {
        "detections/raw_detection_boxes": outputs["detections/raw_boxes"],
        "detections/raw_detection_scores": outputs["detections/raw_scores"],
    }
    yield compared.row("raw detections", raw)


def _detections(compared: Comparison, outputs: Arrays) -> Arrays:
    """Returns our detections by the original's names, in the original's order.

    Detections whose scores are equal but for rounding may come in another order;
    they are recognised by anchor and class.
    """
    found = {
        "detection_boxes": outputs["detections/boxes"],
        "detection_scores": outputs["detections/scores"],
        "detection_classes": outputs["detections/classes"].astype(np.float32),
        "detection_multiclass_scores": outputs["detections/multiclass_scores"],
        "detection_anchor_indices": outputs["detections/anchor_indices"],
    }
    shape = found["detection_scores"].shape
    where = [compared.arrays.get(f"detections/{k}") for k in _IDENTITY]
    if all(w is not None and w.shape == shape for w in where):
        ours = np.stack([found[k] for k in _IDENTITY], axis=-1).astype(int)
        theirs = np.stack(where, axis=-1).astype(int)
        orders = np.stack([_order(a, b) for a, b in zip(ours, theirs, strict=True)])
        found = {
            k: np.take_along_axis(v, _like(orders, v), axis=1) for k, v in found.items()
        }
    if "detections/masks" in outputs:
        found["detection_masks"] = outputs["detections/masks"]
    found["num_detections"] = outputs["detections/num"].astype(np.float32)
    return {f"detections/{k}": v for k, v in found.items()}


_IDENTITY = ("detection_anchor_indices", "detection_classes")


def _order(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Returns for each of theirs the place of the same in ours, or its own place."""
    places = {tuple(row): n for n, row in reversed([*enumerate(ours)])}
    return np.array([places.get(tuple(row), n) for n, row in enumerate(theirs)])


def _like(orders: np.ndarray, values: np.ndarray) -> np.ndarray:
    return orders.reshape(orders.shape + (1,) * (values.ndim - 2))
