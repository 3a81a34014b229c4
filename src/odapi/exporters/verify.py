"""Verification of an export: its outputs are compared with those of the detector.

Independent of the format, which is known to the `Exporter` only.
"""

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from odapi.data.image.resize import Resizer, fixed_size
from odapi.exporters.agreement import (
    check_equal,
    check_names,
    differences,
    different,
    equal_detections,
)
from odapi.exporters.exporter import Exporter, ExportOptions, Outputs
from odapi.exporters.input_types import BOXES
from odapi.exporters.named_outputs import detect, named_outputs
from odapi.kernels.portable import portable_operations

if TYPE_CHECKING:
    from odapi.models.detector import Detector

# Of 255. TensorFlow reads the weights of bicubic resizing from a table.
_PIXEL_TOLERANCE = 0.75
_GIVEN_BOXES = np.array([[[0.1, 0.1, 0.6, 0.5], [0.3, 0.2, 0.9, 0.9]]], np.float32)


@dataclasses.dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Args:
        images: Number of images on which outputs were compared.
        difference: Largest difference of a raw box or score, or of a score if there
            are no raw outputs, relative to the largest value.
        equal_detections: Share of the detections that have the same class in both, and
            an IoU of 0.9 or more.
        load_seconds: Duration of loading the exported model.
        first_seconds: Duration of its first call, which prepares the graph.
        second_seconds: Duration of the next call: that of a prediction.
    """

    images: int
    difference: float
    equal_detections: float
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

    In float32 the outputs must be equal up to rounding. Of lower precisions the
    difference is measured only.

    Args:
        exporter: The exporter that wrote the model.
        path: The exported model.
        detector: The detector that was exported.
        resizer: Of the detector.
        options: Options of the export.
        images: uint8 `[h, w, c]`; in float32, or if there are none, a synthetic image
            is added.

    Raises:
        ExportError: They differ; with the output and the entry point.
    """
    model = exporter.open(path, resizer, options)
    exact = exporter.is_exact(options)
    if exact or not images:
        images = [*images, _synthetic_image(resizer, detector.num_channels)]
    boxes = _GIVEN_BOXES if options.input_type == BOXES else None
    side = _random_side_inputs(detector)
    default = model.entry_points[0]
    inputs = model.make_inputs(default, images[0], boxes, side)
    first = _seconds(lambda: model.call(default, inputs))
    second = _seconds(lambda: model.call(default, inputs))
    worst, equal, total = 0.0, 0, 0
    for image in images:
        expected = _reference(exporter, detector, resizer, options, image, boxes, side)
        for name in model.entry_points:
            found = model.call(name, model.make_inputs(name, image, boxes, side))
            place = f"{path} ({name})"
            check_names(found, expected, place, exact)
            if exact:
                check_equal(found, expected, place, boxes is not None)
            found_worst = max(differences(found, expected, boxes is not None).values())
            counts = equal_detections(found, expected)
            worst = max(worst, found_worst)
            equal, total = equal + counts[0], total + counts[1]
    share = equal / total if total else 1.0
    return Verification(len(images), worst, share, model.load_seconds, first, second)


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


def _check_resized(
    resizer: Resizer, image: np.ndarray, resized: np.ndarray, true_size: np.ndarray
) -> None:
    """Raises ExportError if the exported model resizes differently from the host."""
    expected, size = resizer.resize(image.astype(np.float32))
    if tuple(true_size[0].tolist()) != tuple(size):
        raise different("image_resizer", f"gives {true_size[0]}, not {size}")
    difference = float(np.max(np.abs(resized[0] - expected)))
    if not difference <= _PIXEL_TOLERANCE:
        raise different("image_resizer", f"pixels differ by {difference:.2g} of 255")


def _reference(
    exporter: Exporter,
    detector: "Detector",
    resizer: Resizer,
    options: ExportOptions,
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
    resized, true_size = exporter.resize(resizer, image, options)
    if exporter.resizes:
        _check_resized(resizer, image, resized, true_size)
    inputs = {"images": resized, "true_size": true_size, **side_inputs}
    with portable_operations() if exporter.portable else contextlib.nullcontext():
        outputs = named_outputs(detect(detector, inputs, boxes, exporter.raw_outputs))
    return {
        name: np.asarray(ops.convert_to_numpy(value), np.float32)
        for name, value in outputs.items()
    }
