"""Verification of an export: its outputs are compared with those of the detector.

Independent of the format, which is known to the `Exporter` only.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from odapi.data.image.resize import Resizer, fixed_size
from odapi.errors import ExportError
from odapi.exporters.exporter import Exporter, ExportOptions, Outputs
from odapi.exporters.input_types import BOXES
from odapi.exporters.named_outputs import detect, named_outputs
from odapi.geometry.overlap import iou

if TYPE_CHECKING:
    from odapi.models.detector import Detector

# Relative to the largest value of an output. Folding batch normalization into
# convolutions changes the last digits only.
TOLERANCE = 1e-3
# Of 255. TensorFlow reads the weights of bicubic resizing from a table.
_PIXEL_TOLERANCE = 0.75
# Detections with a score below this share of the best one are not compared.
_MIN_RELATIVE_SCORE = 0.05
_SAME_BOX_IOU = 0.5  # From which two boxes belong to the same detection.
_GIVEN_BOXES = np.array([[[0.1, 0.1, 0.6, 0.5], [0.3, 0.2, 0.9, 0.9]]], np.float32)
# Outputs by which detections are compared.
_COMPARED = (
    "detection_boxes", "detection_scores", "detection_classes", "num_detections",
    "raw_detection_scores",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Args:
        difference: Largest difference of a raw box or score, relative to the largest
            value.
        load_seconds: Duration of loading the exported model.
        first_seconds: Duration of its first call, which prepares the graph.
        second_seconds: Duration of the next call: that of a prediction.
    """

    difference: float
    load_seconds: float
    first_seconds: float
    second_seconds: float


def verify(
    exporter: Exporter,
    path: pathlib.Path,
    detector: "Detector",
    resizer: Resizer,
    options: ExportOptions,
    images: Sequence[np.ndarray] = (),
) -> Verification:
    """Compares every entry point of an exported model with the detector.

    Args:
        exporter: The exporter that wrote the model.
        path: The exported model.
        detector: The detector that was exported.
        resizer: Of the detector.
        options: Options of the export.
        images: uint8 `[h, w, c]`; a synthetic image is always added.

    Raises:
        ExportError: They differ; with the output and the entry point.
    """
    model = exporter.open(path, options)
    images = [*images, _synthetic_image(resizer, detector.num_channels)]
    boxes = _GIVEN_BOXES if options.input_type == BOXES else None
    side = _random_side_inputs(detector)
    default = model.entry_points[0]
    inputs = model.make_inputs(default, images[0], boxes, side)
    first = _seconds(lambda: model.call(default, inputs))
    second = _seconds(lambda: model.call(default, inputs))
    worst = 0.0
    for image in images:
        expected = _reference(exporter, detector, resizer, image, boxes, side)
        for name in model.entry_points:
            found = model.call(name, model.make_inputs(name, image, boxes, side))
            place = f"{path} ({name})"
            worst = max(worst, _compare(found, expected, place, boxes is not None))
    return Verification(worst, model.load_seconds, first, second)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _synthetic_image(resizer: Resizer, channels: int) -> np.ndarray:
    """Returns an image with edges, gradients and noise, which must be resized."""
    height, width = fixed_size(resizer) or (97, 61)
    height, width = max(8, height * 5 // 4 + 3), max(8, width * 4 // 5 + 1)
    rng = np.random.default_rng(0)
    ys, xs = np.mgrid[0:height, 0:width] / max(height, width)
    planes = [ys, xs, 1 - ys, *[(xs + ys) / 2] * (channels - 3)]
    image = np.stack(planes, -1) * 120 + 60
    for _ in range(12):
        y, x = rng.integers(0, (height, width))
        size = int(rng.integers(4, max(height, width) // 3 + 5))
        image[y : y + size, x : x + size] = rng.uniform(0, 255, channels)
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def _random_side_inputs(detector: "Detector") -> Outputs:
    """Returns side inputs for one image: noise, and full lengths for scalars."""
    rng = np.random.default_rng(0)
    specs = detector.side_inputs.items()
    rows = max((shape[0] for _, (shape, _) in specs if shape), default=0)
    return {
        name: np.array([rows], dtype)
        if not shape
        else rng.normal(0, 1, (1, *shape)).astype(dtype)
        for name, (shape, dtype) in specs
    }


def _reference(
    exporter: Exporter,
    detector: "Detector",
    resizer: Resizer,
    image: np.ndarray,
    boxes: np.ndarray | None,
    side_inputs: Mapping[str, np.ndarray],
) -> Outputs:
    """Returns the outputs of the detector for an image, with the names of an export.

    Raises:
        ExportError: The exported model resizes differently from the host.
    """
    from keras import ops

    # The detector gets the image as resized by the exported model: a network may
    # amplify the last digits of a pixel, which is not an error of the export.
    resized, true_size = exporter.resize(resizer, image)
    expected, size = resizer.resize(image.astype(np.float32))
    if tuple(true_size[0].tolist()) != tuple(size):
        raise _different("image_resizer", f"gives {true_size[0]}, not {size}")
    difference = float(np.max(np.abs(resized[0] - expected)))
    if not difference <= _PIXEL_TOLERANCE:
        raise _different("image_resizer", f"pixels differ by {difference:.2g} of 255")
    inputs = {"images": resized, "true_size": true_size, **side_inputs}
    outputs = named_outputs(detect(detector, inputs, boxes))
    return {
        name: np.asarray(ops.convert_to_numpy(value), np.float32)
        for name, value in outputs.items()
    }


def _compare(
    found: Outputs, expected: Outputs, place: str, given_boxes: bool = False
) -> float:
    """Returns the largest difference of raw outputs, relative to their largest value.

    Without raw outputs, that of the scores of detections: the n-th best score does not
    depend on the order of detections that are almost equal.

    Args:
        found, expected: Outputs of the exported model and of the detector.
        place: For error messages.
        given_boxes: Whether masks are those of given boxes, which have a fixed order.

    Raises:
        ExportError: The difference is too large, or other objects are detected.
    """
    if found.keys() != expected.keys():
        names = ", ".join(sorted(found.keys() ^ expected.keys()))
        raise ExportError(place, f"its outputs differ from the model's: {names}")
    worst = 0.0
    raw = sorted(name for name in expected if name.startswith("raw_"))
    # Other masks have the order of detections, which may be almost equal.
    masks = ["detection_masks"] if given_boxes else []
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
        ours, reference = _of_image(found, row), _of_image(expected, 0)
        missing, extra = _missing(reference, ours), _missing(ours, reference)
        if missing or extra:
            what = f"lacks {missing}" if missing else f"has an extra {extra}"
            raise _different(place, what)
    return worst


def _of_image(outputs: Outputs, row: int) -> Outputs:
    """Returns the outputs that are compared, of one image."""
    return {name: outputs[name][row] for name in _COMPARED if name in outputs}


def _different(place: str, problem: str) -> ExportError:
    return ExportError(
        place, problem, hint="nothing was exported; please report this as a bug"
    )


def _missing(these: Outputs, others: Outputs) -> str:
    """Describes the first clear detection of `these` that `others` lack; "" if none."""
    scores = these["detection_scores"]
    best = float(np.max(scores, initial=0.0))
    allowed = TOLERANCE * max(best, 1e-12)
    # If all scores are almost equal, their last digits decide the order.
    usual = np.median(these.get("raw_detection_scores", scores))
    if best - float(usual) < 10 * allowed:
        return ""
    full = len(scores) == int(these["num_detections"])
    lowest = float(scores.min()) + allowed if full else 0.0
    floor = max(_MIN_RELATIVE_SCORE * best, lowest)
    for i in np.flatnonzero(scores > floor):
        same = (
            (others["detection_classes"] == these["detection_classes"][i])
            & (np.abs(others["detection_scores"] - scores[i]) <= allowed)
            & _same_box(these["detection_boxes"][i], others["detection_boxes"])
        )
        if not same.any():
            box = np.round(these["detection_boxes"][i], 3).tolist()
            kind = int(these["detection_classes"][i])
            return f"detection of class {kind} at {box}, score {scores[i]:.3f}"
    return ""


def _same_box(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns which boxes match a box, also if clipping left no area to overlap."""
    near = np.abs(boxes - box).max(-1) <= TOLERANCE
    return near | (iou(box, boxes) > _SAME_BOX_IOU)
