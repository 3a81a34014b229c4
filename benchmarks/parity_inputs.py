"""Inputs of a comparison: weights, images, groundtruth."""

from typing import Any

import keras
import numpy as np

from benchmarks.parity_golden import GoldenFolder
from benchmarks.parity_rows import Arrays
from odapi.build.resizer import model_resizer
from odapi.runtime.compat import flatten_layers
from odapi.structures import Groundtruth

_NUM_KEYPOINTS = 17


def fill(
    folder: GoldenFolder,
    detector: Any,
    keys: dict[str, str],
    shift: int | None = None,
) -> None:
    """Gives each weight the value that its key makes.

    `shift`: kernels are off by one unit in the last place: 0 makes all numbers
    larger, a seed above 0 makes each larger, smaller or neither, by chance.
    """
    for name, variable in detector.named_variables().items():
        value = folder.make.value_for(keys[name], tuple(variable.shape))
        variable.assign(value if shift is None else _off_by_one_unit(value, shift))


def _off_by_one_unit(value: np.ndarray, shift: int) -> np.ndarray:
    if value.ndim < 2:
        return value
    larger = np.nextafter(value, np.float32(np.inf))
    if shift == 0:
        return larger
    smaller = np.nextafter(value, np.float32(-np.inf))
    which = np.random.default_rng(shift).integers(3, size=value.shape)
    return np.choose(which, [smaller, value, larger])


def without_dropout(detector: Any) -> None:
    """Keeps everything, as the stored outputs were made."""
    for layer in flatten_layers(detector):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def resized_inputs(folder: GoldenFolder, meta: dict, training: bool) -> Arrays:
    """Returns the images as the model takes them."""
    resizer = model_resizer(folder.config(meta, training))
    batch = meta["train_batch" if training else "inference_batch"]
    resized = [
        resizer.resize(image.astype(np.float32)) for image in folder.inputs(batch, meta)
    ]
    inputs = {
        "images": np.stack([image for image, _ in resized]),
        "true_size": np.array([size for _, size in resized], np.int32),
    }
    return inputs | _context(folder, meta, batch, training)


def _context(folder: GoldenFolder, meta: dict, batch: int, training: bool) -> Arrays:
    """Returns the memory banks that the goldens of a Context R-CNN were made with.

    No file says what they were. These are found by trying: what the attention adds to
    the features of the goldens is what it adds for these, to seven digits.
    """
    rcnn = folder.config(meta, training).model.faster_rcnn
    if not rcnn.HasField("context_config"):
        return {}
    shape = (batch, 10, rcnn.context_config.context_feature_length)
    bank = folder.make.uniform("context_features", shape, -1.0, 1.0)
    size = np.array([10, 7], np.int32)[:batch]
    return {"context_features": bank, "valid_context_size": size}


def groundtruth(folder: GoldenFolder, meta: dict, detector: Any) -> Groundtruth:
    """Returns the objects of the training batch, padded, with what the model reads."""
    objects = folder.make.groundtruth(
        meta["num_classes"],
        mask_size=detector.image_size[0],
        num_keypoints=_NUM_KEYPOINTS,
    )[: meta["train_batch"]]
    most = max(len(o["boxes"]) for o in objects)

    def padded(values, dtype):
        rows = [np.zeros((most, *v.shape[1:]), dtype) for v in values]
        for row, value in zip(rows, values, strict=True):
            row[: len(value)] = value
        return np.stack(rows)

    boxes = [o["boxes"] for o in objects]
    return Groundtruth(
        boxes=padded(boxes, np.float32),
        classes=padded([o["classes"] for o in objects], np.int32),
        valid=padded([np.ones(len(b), bool) for b in boxes], bool),
        weights=padded([o["weights"] for o in objects], np.float32),
        **{
            name: padded([o[name] for o in objects], np.float32)
            for name in ("masks", "keypoints")
            if name in detector.groundtruth_fields
        },
    )
