"""The comparison of one of our models with the stored outputs of the original."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from benchmarks import parity_step
from benchmarks.parity_golden import GoldenFolder
from odapi.backbones import efficientnet
from odapi.build.detector import build_detector
from odapi.build.resizer import model_resizer
from odapi.errors import ConfigError
from odapi.models.detector import REGULARIZATION
from odapi.structures import Groundtruth
from odapi.zoo.names.efficientdet import UNUSED
from odapi.zoo.names.ssd import ssd_keys

TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-2
# While training, batch norms divide by the spread of the batch itself, which
# enlarges rounding errors from layer to layer, most on a map of one pixel.
TRAINING_TOLERANCE = 1e-3
TRAINING_MAPS_TOLERANCE = 1e-2
# A gradient below this share of the largest one is compared on the scale of the
# share: it is a sum that nearly cancels, or nothing but rounding.
_GRADIENT_FLOOR = 2e-2
# Rows of single models whose training rounding alone carries further. Measured on
# TensorFlow, with the original's own kernels and weights off by one unit in the last
# place: MobileNet v1 differs from itself by up to 1.2e-2 in a gradient norm,
# ResNet-152 by 3.4e-4 in a loss, 5.5e-2 in a map, 2.5e-2 in the heads and 5.8e-2 in a
# gradient norm. What is wrong in ResNet-152 would show in ResNet-50, which keeps to
# the common tolerances, and in the statistics of its batch norms.
_LOOSER = {
    "ssd_mobilenet_v1_fpn_640x640": {"gradient norms": 3e-2},
    "ssd_resnet152_v1_fpn_640x640": {
        "losses": 2e-3,
        "training feature maps": 1e-1,
        "training heads": 5e-2,
        "gradient norms": 2e-1,
    },
}

Arrays = dict[str, np.ndarray]


class UnsupportedError(Exception):
    """The model is not one of ours yet."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A group of tensors: the largest relative difference, and where it is."""

    group: str
    difference: float
    tensor: str
    tolerance: float

    @property
    def ok(self) -> bool:
        """Whether the difference is within the tolerance; NaN is not."""
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        """Returns a line of the table."""
        verdict = "ok" if self.ok else "FAIL"
        return (
            f"{self.group:<22} {self.difference:9.2e}  tolerance {self.tolerance:.0e}  "
            f"{verdict:<4}  {self.tensor}"
        )


def compare(folder: GoldenFolder, name: str) -> Iterator[Row]:
    """Yields the rows of a model.

    Raises:
        UnsupportedError: We have no such model.
        ConfigError: The folder is not complete.
    """
    golden = folder.open(name)
    try:
        detector = build_detector(folder.config(golden.meta, training=False))
        keys = ssd_keys(detector)
    except (ConfigError, TypeError) as error:
        raise UnsupportedError(str(error).split("\n")[0]) from error
    looser = _LOOSER.get(name, {})
    return (
        dataclasses.replace(row, tolerance=looser.get(row.group, row.tolerance))
        for row in _rows(folder, golden, detector, keys)
    )


def _rows(folder, golden, detector, keys) -> Iterator[Row]:
    _fill(folder, detector, keys)
    inputs = _inputs(folder, golden.meta, training=False)
    compared = _Comparison(golden)
    yield from _inference(compared, detector, inputs)
    if not any(key.startswith("train/") for key in golden.arrays):
        return
    detector = build_detector(folder.config(golden.meta, training=True))
    _fill(folder, detector, keys)
    _without_dropout(detector)
    inputs = _inputs(folder, golden.meta, training=True)
    truth = _groundtruth(folder, golden.meta)
    losses = parity_step.losses(detector, inputs, truth)
    losses[REGULARIZATION] += _unused_penalty(folder, golden.meta)
    yield compared.row("losses", _losses(losses))
    _fill(folder, detector, keys)
    step = parity_step.train(detector, inputs, truth)
    yield from _training(compared, detector, keys, step)


class _Comparison:
    """Collects differences of tensors to the stored ones."""

    def __init__(self, golden):
        self.golden = golden
        self.arrays = golden.arrays

    def row(self, group: str, values: Arrays, tolerance: float = TOLERANCE) -> Row:
        """Returns the row of all tensors in `values` that are stored."""
        worst, where, known = 0.0, "", False
        for key, value in values.items():
            if key not in self.arrays:
                continue
            known = True
            difference = self._difference(key, value)
            if not difference <= worst:
                worst, where = difference, key
        if not known:
            return Row(group, float("nan"), "nothing is stored", tolerance)
        return Row(group, worst, where, tolerance)

    def keys(self, prefix: str) -> list[str]:
        """Returns the names of the stored tensors that begin with `prefix`."""
        return [key for key in self.arrays if key.startswith(prefix)]

    def _difference(self, key: str, value: np.ndarray) -> float:
        try:
            difference, scale = self.golden.compare(key, value)
        except ValueError:
            return float("inf")  # Another shape.
        return difference / scale if scale > 0 else difference


def _inference(compared: _Comparison, detector, inputs: Arrays) -> Iterator[Row]:
    outputs = parity_step.infer(detector, inputs)
    true_size = inputs["true_size"]
    shapes = np.concatenate([true_size, np.full_like(true_size[:, :1], 3)], axis=1)
    anchors = detector.anchors(inputs["images"].shape[1:3])
    tiled = np.broadcast_to(anchors, (len(true_size), *anchors.shape))
    yield compared.row(
        "preprocessed image",
        {"preprocessed": outputs["preprocessed"], "true_image_shapes": shapes},
    )
    yield compared.row("feature maps", _feature_maps("predict", outputs))
    yield compared.row("raw heads", _heads("predict", outputs))
    yield compared.row(
        "anchors",
        {
            "anchors": anchors,
            "predict/anchors": anchors,
            "predict/final_anchors": tiled,
        },
    )
    yield compared.row("detections", _detections(compared, outputs))
    raw = {
        "detections/raw_detection_boxes": outputs["detections/raw_boxes"],
        "detections/raw_detection_scores": outputs["detections/raw_scores"],
    }
    yield compared.row("raw detections", raw)


def _training(compared: _Comparison, detector, keys, step) -> Iterator[Row]:
    outputs = step["outputs"]
    yield compared.row(
        "training feature maps",
        _feature_maps("train/predict", outputs),
        TRAINING_MAPS_TOLERANCE,
    )
    yield compared.row(
        "training heads", _heads("train/predict", outputs), TRAINING_TOLERANCE
    )
    yield _gradients(compared, keys, step["gradients"])
    ours = {key: name for name, key in keys.items()}
    variables = detector.named_variables()
    prefix = "train/bn_after/"
    after = {
        key: keras.ops.convert_to_numpy(variables[ours[key.removeprefix(prefix)]])
        for key in compared.keys(prefix)
        if not key.removeprefix(prefix).startswith(UNUSED)
    }
    yield compared.row("batch norm after", after)


def _gradients(compared: _Comparison, keys: dict[str, str], norms: dict) -> Row:
    stored = compared.golden.meta["train_grad_keys"]
    norms_stored = compared.arrays["train/grad_norms"]
    expected = {
        key: norm
        for key, norm in zip(stored, norms_stored, strict=True)
        if not key.startswith(UNUSED)  # Their only gradient is that of the penalty.
    }
    floor = _GRADIENT_FLOOR * max(expected.values())
    worst, where = 0.0, ""
    ours = {keys[name]: norm for name, norm in norms.items()}
    for key in expected.keys() | ours.keys():
        # -1 and None: the loss does not depend on the variable.
        want, got = (float(x.get(key) or 0.0) for x in (expected, ours))
        difference = abs(max(want, 0.0) - got) / max(want, floor)
        if not difference <= worst:
            worst, where = difference, key
    return Row("gradient norms", worst, where, GRADIENT_TOLERANCE)


def _losses(losses: dict[str, float]) -> Arrays:
    found = {f"train/loss/{k}": np.float32(v) for k, v in losses.items()}
    found["train/loss_regularization"] = np.float32(losses[REGULARIZATION])
    found["train/loss_total"] = np.float32(sum(losses.values()))
    return found


def _unused_penalty(folder: GoldenFolder, meta: dict) -> float:
    """Returns what the original's loss has of weights that no output depends on.

    It regularises the kernels and biases of the whole EfficientNet, up to the
    classes of ImageNet; we have no such layers.
    """
    if not any(key.startswith(UNUSED) for key in meta["train_grad_keys"]):
        return 0.0
    squares = [
        np.square(folder.make.value_for(key, shape), dtype=np.float64).sum()
        for key, shape in folder.shapes(meta).items()
        if key.startswith(UNUSED) and key.endswith(("/kernel", "/bias"))
    ]
    return efficientnet.DEFAULT_HYPERPARAMS.l2 * float(sum(squares))


def _feature_maps(prefix: str, outputs: Arrays) -> Arrays:
    return {f"{prefix}/{k}": v for k, v in outputs.items() if "feature_maps/" in k}


def _heads(prefix: str, outputs: Arrays) -> Arrays:
    names = ("box_encodings", "class_predictions_with_background")
    return {f"{prefix}/{name}": outputs[name] for name in names}


def _detections(compared: _Comparison, outputs: Arrays) -> Arrays:
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
    found["num_detections"] = outputs["detections/num"].astype(np.float32)
    return {f"detections/{k}": v for k, v in found.items()}


_IDENTITY = ("detection_anchor_indices", "detection_classes")


def _order(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Returns for each of theirs the place of the same in ours, or its own place."""
    places = {tuple(row): n for n, row in reversed([*enumerate(ours)])}
    return np.array([places.get(tuple(row), n) for n, row in enumerate(theirs)])


def _like(orders: np.ndarray, values: np.ndarray) -> np.ndarray:
    return orders.reshape(orders.shape + (1,) * (values.ndim - 2))


def _fill(folder: GoldenFolder, detector: Any, keys: dict[str, str]) -> None:
    for name, variable in detector.named_variables().items():
        variable.assign(folder.make.value_for(keys[name], tuple(variable.shape)))


def _without_dropout(detector: Any) -> None:
    for layer in detector._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def _inputs(folder: GoldenFolder, meta: dict, training: bool) -> Arrays:
    resizer = model_resizer(folder.config(meta, training))
    batch = meta["train_batch" if training else "inference_batch"]
    resized = [
        resizer.resize(image.astype(np.float32)) for image in folder.inputs(batch, meta)
    ]
    return {
        "images": np.stack([image for image, _ in resized]),
        "true_size": np.array([size for _, size in resized], np.int32),
    }


def _groundtruth(folder: GoldenFolder, meta: dict) -> Groundtruth:
    objects = folder.make.groundtruth(meta["num_classes"])[: meta["train_batch"]]
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
    )
