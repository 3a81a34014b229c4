"""Scores, calibration and non-maximum suppression (NMS) of detectors with anchors."""

import itertools
from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error, warning
from odapi.wording import counted


def about_focal_loss(path: str, loss: Any) -> Iterator[Finding]:
    """Yields a warning for a focal loss without the weight of positive anchors."""
    if not loss.HasField("alpha"):
        yield warning(
            f"{path}.alpha",
            "is not set: positive and negative anchors have the same weight",
            "usual is 0.25",
        )


def about_nms(path: str, nms: Any) -> Iterator[Finding]:
    """Yields options of a `BatchNonMaxSuppression` that exclude each other."""
    soft = nms.soft_nms_sigma > 0
    for name in ("use_combined_nms", "use_hard_nms", "use_static_shapes"):
        if soft and getattr(nms, name):
            yield error(f"{path}.{name}", "cannot be used with soft_nms_sigma")
    if nms.use_combined_nms and nms.use_class_agnostic_nms:
        yield error(
            f"{path}.use_combined_nms", "cannot be used with use_class_agnostic_nms"
        )


def about_points(path: str, pairs: Any) -> Iterator[Finding]:
    """Yields points of an `XYPairs` that do not make a function."""
    xs = [pair.x for pair in pairs.x_y_pair]
    if len(xs) < 2:
        yield error(path, f"has {counted(len(xs), 'point')}; a line needs two")
    elif any(right <= left for left, right in itertools.pairwise(xs)):
        yield error(path, "the points must be in the order of x, each x once")


def find_converter(config: Any, path: str, loss: str) -> Iterator[Finding]:
    """Yields a warning if scores are not computed as the loss reads logits.

    Args:
        config: A `PostProcessing` message.
        path: Its path.
        loss: Name of the classification loss.
    """
    softmax = "softmax" in loss
    name = schema.enum_name(config, "score_converter")
    if (softmax and name == "SIGMOID") or (not softmax and name == "SOFTMAX"):
        yield warning(
            f"{path}.score_converter",
            f"is {name}, but the loss is {loss}: scores will not be probabilities",
        )


def find_limits(config: Any, path: str, num_classes: int) -> Iterator[Finding]:
    """Yields limits of NMS that the number of classes contradicts.

    Args:
        config: A `PostProcessing` message.
        path: Its path.
        num_classes: Classes of the model, without the background.
    """
    nms = config.batch_non_max_suppression
    path = f"{path}.batch_non_max_suppression"
    if nms.max_total_detections > nms.max_detections_per_class * num_classes > 0:
        yield warning(
            f"{path}.max_total_detections",
            f"is {nms.max_total_detections}, but "
            f"{counted(num_classes, 'class', 'classes')} with "
            f"{nms.max_detections_per_class} detections each give fewer",
        )
    if nms.use_class_agnostic_nms and nms.max_classes_per_detection > num_classes:
        yield error(
            f"{path}.max_classes_per_detection",
            f"is {nms.max_classes_per_detection}, but there are "
            f"{counted(num_classes, 'class', 'classes')}",
        )


def find_calibration(
    post_processing: Any, path: str, num_classes: int, first: int
) -> Iterator[Finding]:
    """Yields calibrations of classes that do not exist.

    Args:
        post_processing: A `PostProcessing` message.
        path: Its path.
        num_classes: Classes of the model, without the background.
        first: Lowest class that can be calibrated; 0 is the background.
    """
    config = post_processing.calibration_config
    if config.WhichOneof("calibrator") != "class_id_function_approximations":
        return
    path = f"{path}.calibration_config.class_id_function_approximations"
    pairs = config.class_id_function_approximations.class_id_xy_pairs_map
    if not pairs:
        yield error(f"{path}.class_id_xy_pairs_map", "is empty")
    for class_id in sorted(pairs):
        here = f"{path}.class_id_xy_pairs_map[{class_id}]"
        if not first <= class_id <= num_classes:
            yield error(here, f"class ids are {first} to {num_classes}")
        else:
            yield from about_points(here, pairs[class_id])
