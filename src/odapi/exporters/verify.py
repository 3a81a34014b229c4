"""Runs an exported model and compares it with the detector that it was made from."""

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.data.image.resize import Resizer, fixed_size
from odapi.errors import ExportError
from odapi.exporters.saved_model.saved_model import (
    SERVING,
    SavedModelPredictor,
    serving,
)
from odapi.geometry.overlap import iou

# Of the largest value of an output. Folding batch normalisation into convolutions
# changes the last digits only.
TOLERANCE = 1e-3
_PIXEL = 0.75  # Of 255: bicubic reads its weights from a table in TensorFlow.
_COUNTS = 0.05  # Of the best score: detections below it are not told apart.
_SAME_BOX = 0.5  # Overlap from which on two boxes are of the same detection.
_BOXES = [[[0.1, 0.1, 0.6, 0.5], [0.3, 0.2, 0.9, 0.9]]]  # To find the masks of.
# What is looked at to tell detections apart.
_OF_IMAGES = (
    "detection_boxes", "detection_scores", "detection_classes", "num_detections",
    "raw_detection_scores",
)  # fmt: skip

Outputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Verification:
    """How an exported model did.

    Args:
        difference: Largest difference of a raw box or score, of the largest value.
        load_seconds: Loading the SavedModel.
        first_seconds: Its first call, which prepares the graph.
        second_seconds: A call after that: what a prediction takes.
    """

    difference: float
    load_seconds: float
    first_seconds: float
    second_seconds: float


def verify(
    folder: str | os.PathLike,
    detector: Any,
    resizer: Resizer,
    input_type: str = "image_tensor",
    images: Sequence[np.ndarray] = (),
) -> Verification:
    """Compares every signature of a SavedModel with the detector.

    Args:
        folder: The SavedModel.
        detector: What was exported.
        resizer: As the detector's images are resized on the host.
        input_type: What `serving_default` takes.
        images: uint8 `[h, w, 3]`; a made one is always added.

    Raises:
        ExportError: They differ; says in which output of which signature.
    """
    predictor = SavedModelPredictor(folder)
    images = [*images, _made_image(resizer)]
    kinds = {name: name for name in predictor.signatures} | {SERVING: input_type}
    value = _given(images[0], input_type, predictor.spec(SERVING))
    boxes = None
    if input_type == serving.BOXES:
        boxes = np.tile(np.array(_BOXES, np.float32), (value.shape[0], 1, 1))
    first = _seconds(lambda: predictor.run(SERVING, value, boxes))
    again = _seconds(lambda: predictor.run(SERVING, value, boxes))
    worst = 0.0
    side = _made_side_inputs(detector)
    for image in images:
        expected = _reference(detector, resizer, image, boxes, side)
        for name, kind in kinds.items():
            value = _given(image, kind, predictor.spec(name))
            rows = {k: np.repeat(v, value.shape[0], 0) for k, v in side.items()}
            found = predictor.run(name, value, boxes, rows)
            place = f"{folder} ({name})"
            given = boxes is not None
            worst = max(worst, _compare(found, expected, place, given))
    return Verification(worst, predictor.load_seconds, first, again)


def _seconds(call: Any) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _made_image(resizer: Resizer) -> np.ndarray:
    """Returns a picture with edges, slopes and noise, not of the detector's size."""
    height, width = fixed_size(resizer) or (97, 61)
    height, width = max(8, height * 5 // 4 + 3), max(8, width * 4 // 5 + 1)
    rng = np.random.default_rng(0)
    ys, xs = np.mgrid[0:height, 0:width] / max(height, width)
    image = np.stack([ys, xs, 1 - ys], -1) * 120 + 60
    for _ in range(12):
        y, x = rng.integers(0, (height, width))
        size = int(rng.integers(4, max(height, width) // 3 + 5))
        image[y : y + size, x : x + size] = rng.uniform(0, 255, 3)
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def _given(image: np.ndarray, kind: str, spec: Any) -> Any:
    """Returns an image in the form, and as often, as a signature takes it."""
    import tensorflow as tf

    value = tf.constant(image)
    if spec.dtype == tf.string:
        value = tf.io.encode_png(value)
    if kind == "tf_example":
        value = tf.constant(_example(value.numpy()))
    return tf.stack([tf.cast(value, spec.dtype)] * (spec.shape[0] or 1))


def _example(encoded: bytes) -> bytes:
    import tensorflow as tf

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    features = tf.train.Features(feature={"image/encoded": feature})
    return tf.train.Example(features=features).SerializeToString()


def _made_side_inputs(detector: Any) -> Outputs:
    """Returns noise, or the largest whole numbers that fit, for one image."""
    rng = np.random.default_rng(0)
    specs = dict(getattr(detector, "side_inputs", {})).items()
    rows = max((shape[0] for _, (shape, _) in specs if shape), default=0)
    return {
        name: np.array([rows], dtype)
        if not shape
        else rng.normal(0, 1, (1, *shape)).astype(dtype)
        for name, (shape, dtype) in specs
    }


def _reference(
    detector: Any,
    resizer: Resizer,
    image: np.ndarray,
    boxes: Any = None,
    side_inputs: Mapping[str, Any] | None = None,
) -> Outputs:
    """Returns what the detector itself finds in an image, or says of boxes.

    Raises:
        ExportError: The image is not resized as on the host.
    """
    # The detector gets the picture of the graph: a network may enlarge the last
    # digits of a resized pixel, which says nothing about the export.
    resized, true_size = serving.resize(resizer, image[None])
    expected, size = resizer.resize(image.astype(np.float32))
    if tuple(true_size[0].numpy()) != size:
        raise _different("image_resizer", f"gives {true_size[0].numpy()}, not {size}")
    difference = float(np.max(np.abs(resized[0].numpy() - expected)))
    if not difference <= _PIXEL:
        raise _different("image_resizer", f"pixels differ by {difference:.2g} of 255")
    inputs = {"images": resized, "true_size": true_size, **(side_inputs or {})}
    if boxes is not None:
        found = serving.with_masks_of(detector, inputs, boxes[:1])
    else:
        found = serving.outputs(detector.detect(inputs, raw=True))
    return {k: v.numpy() for k, v in found.items()}


def _compare(
    found: Outputs, expected: Outputs, place: str, given: bool = False
) -> float:
    """Returns the largest difference of raw outputs, of their largest value.

    Of the scores of detections where nothing is raw: the n-th best one does not
    depend on the order of detections that are all but equal.

    Raises:
        ExportError: It is too large, or other objects are found.
    """
    if found.keys() != expected.keys():
        names = ", ".join(sorted(found.keys() ^ expected.keys()))
        raise ExportError(place, f"has other outputs than the model: {names}")
    worst = 0.0
    raw = sorted(name for name in expected if name.startswith("raw_"))
    # Masks of detections come in the order of detections that may be all but equal.
    masks = ["detection_masks"] if given else []
    for name in (raw or ["detection_scores"]) + masks:
        scale = float(np.max(np.abs(expected[name]), initial=1e-12))
        difference = float(np.max(np.abs(found[name] - expected[name]))) / scale
        worst = max(worst, difference)
        if not difference <= TOLERANCE:  # Also where it is NaN.
            raise _different(
                place,
                f"{name} differs from the model's by {difference:.2g} of its "
                f"largest value; {TOLERANCE:g} is allowed",
            )
    for row in range(len(found["detection_scores"])):
        one, other = _of_image(found, row), _of_image(expected, 0)
        lost, extra = _lost(other, one), _lost(one, other)
        if lost or extra:
            what = f"misses {lost}" if lost else f"has {extra} that the model does not"
            raise _different(place, what)
    return worst


def _of_image(outputs: Outputs, row: int) -> Outputs:
    """Returns what is compared of one image."""
    return {name: outputs[name][row] for name in _OF_IMAGES if name in outputs}


def _different(place: str, problem: str) -> ExportError:
    return ExportError(
        place, problem, hint="nothing was exported; please report this as a bug"
    )


def _lost(these: Outputs, others: Outputs) -> str:
    """Returns the first clear detection of `these` that `others` do not have, or ""."""
    scores = these["detection_scores"]
    best = float(np.max(scores, initial=0.0))
    allowed = TOLERANCE * max(best, 1e-12)
    # A model that tells nothing apart orders by its last digits.
    usual = np.median(these.get("raw_detection_scores", scores))
    if best - float(usual) < 10 * allowed:
        return ""
    full = len(scores) == int(these["num_detections"])
    floor = max(_COUNTS * best, (float(scores.min()) + allowed) if full else 0.0)
    for i in np.flatnonzero(scores > floor):
        same = (
            (others["detection_classes"] == these["detection_classes"][i])
            & (np.abs(others["detection_scores"] - scores[i]) <= allowed)
            & _same_box(these["detection_boxes"][i], others["detection_boxes"])
        )
        if not same.any():
            box = np.round(these["detection_boxes"][i], 3).tolist()
            kind = int(these["detection_classes"][i])
            return f"an object of class {kind} at {box}, score {scores[i]:.3f}"
    return ""


def _same_box(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Tells which boxes are a box, also where clipping left nothing to overlap."""
    near = np.abs(boxes - box).max(-1) <= TOLERANCE
    return near | (iou(box, boxes) > _SAME_BOX)
