"""Losses of classes, scores and suppression, of any model that has anchors."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning


def check_classification_loss(loss: Any, path: str) -> Iterator[Finding]:
    """Yields what a loss of classes lacks.

    Args:
        loss: The member of a `ClassificationLoss` message.
        path: Its path; the last part is its name.
    """
    kind = path.rsplit(".", 1)[-1]
    if kind == "weighted_sigmoid_focal" and not loss.HasField("alpha"):
        yield warning(
            f"{path}.alpha",
            "is not set: positive and negative anchors count alike",
            "usual is 0.25",
        )
    for name in ("alpha", "beta"):
        needed = kind == "penalty_reduced_logistic_focal_loss" or (
            kind == "bootstrapped_sigmoid" and name == "alpha"
        )
        if needed and not loss.HasField(name):
            yield error(f"{path}.{name}", "is missing")


def check_converter(config: Any, path: str, loss: str) -> Iterator[Finding]:
    """Yields a warning where scores are not made as the loss takes logits.

    Args:
        config: A `PostProcessing` message.
        path: Its path.
        loss: The name of the loss of classes.
    """
    softmax = "softmax" in loss
    names = config.DESCRIPTOR.enum_types_by_name["ScoreConverter"]
    name = names.values_by_number[config.score_converter].name
    if (softmax and name == "SIGMOID") or (not softmax and name == "SOFTMAX"):
        yield warning(
            f"{path}.score_converter",
            f"is {name}, but the loss is {loss}: scores will not be probabilities",
        )


def check_suppression(config: Any, path: str, num_classes: int) -> Iterator[Finding]:
    """Yields what cannot be suppressed, or is less than it seems.

    Args:
        config: A `PostProcessing` message.
        path: Its path.
        num_classes: Of the model, without the background.
    """
    nms = config.batch_non_max_suppression
    path = f"{path}.batch_non_max_suppression"
    if nms.max_total_detections > nms.max_detections_per_class * num_classes > 0:
        yield warning(
            f"{path}.max_total_detections",
            f"is {nms.max_total_detections}, but {num_classes} classes with "
            f"{nms.max_detections_per_class} each give fewer",
        )
    if nms.use_combined_nms and (nms.soft_nms_sigma or nms.use_class_agnostic_nms):
        other = "soft_nms_sigma" if nms.soft_nms_sigma else "use_class_agnostic_nms"
        yield error(f"{path}.use_combined_nms", f"does not go with {other}")
    if nms.use_hard_nms and nms.soft_nms_sigma:
        yield error(f"{path}.use_hard_nms", "does not go with soft_nms_sigma")
    if nms.use_class_agnostic_nms and nms.max_classes_per_detection > num_classes:
        yield error(
            f"{path}.max_classes_per_detection",
            f"is {nms.max_classes_per_detection}, but there are {num_classes} classes",
        )


def check_calibration(
    post_processing: Any, path: str, num_classes: int, first: int
) -> Iterator[Finding]:
    """Yields what is wrong with a calibration.

    Args:
        post_processing: A `PostProcessing` message.
        path: Its path.
        num_classes: Of the model, without the background.
        first: The lowest class that can be calibrated; 0 is the background.
    """
    config = post_processing.calibration_config
    kind = config.WhichOneof("calibrator")
    path = f"{path}.calibration_config.{kind}"
    if kind == "function_approximation":
        yield from _check_pairs(path, config.function_approximation.x_y_pairs)
    elif kind == "class_id_function_approximations":
        pairs = config.class_id_function_approximations.class_id_xy_pairs_map
        for class_id in sorted(pairs):
            here = f"{path}.class_id_xy_pairs_map[{class_id}]"
            if not first <= class_id <= num_classes:
                known = f"{first} to {num_classes}"
                yield error(here, f"there are classes {known} only")
                continue
            yield from _check_pairs(here, pairs[class_id])
    elif kind == "temperature_scaling_calibration":
        if not config.temperature_scaling_calibration.scaler:
            yield error(f"{path}.scaler", "is missing; it divides the logits")


def _check_pairs(path: str, pairs: Any) -> Iterator[Finding]:
    xs = [pair.x for pair in pairs.x_y_pair]
    if len(xs) < 2:
        yield error(path, f"has {len(xs)} points; a line needs two")
    elif xs != sorted(xs):
        yield error(path, "its points must be in the order of x")
