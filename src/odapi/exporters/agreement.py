"""Agreement of two sets of outputs: those of an exported model, and the detector's."""

import numpy as np

from odapi.errors import ExportError
from odapi.exporters.exporter import Outputs
from odapi.geometry.overlap import iou

# Relative to the largest value of an output. Folding batch normalization into
# convolutions changes the last digits only.
TOLERANCE = 1e-3
# Detections with a score below this share of the best one are not compared.
_MIN_RELATIVE_SCORE = 0.05
_SAME_BOX_IOU = 0.5  # From which two boxes belong to the same detection.
_EQUAL_BOX_IOU = 0.9  # From which they are counted as equal.
# Outputs by which detections are compared.
_COMPARED = (
    "detection_boxes", "detection_scores", "detection_classes", "num_detections",
    "raw_detection_scores",
)  # fmt: skip


def check_names(
    found: Outputs, expected: Outputs, place: str, exact: bool = True
) -> None:
    """Raises ExportError if the outputs have other names, or are not finite.

    Args:
        found, expected: Outputs of the exported model and of the detector.
        place: For the message.
        exact: Whether none may be missing.
    """
    if found.keys() - expected.keys() or (exact and found.keys() != expected.keys()):
        names = ", ".join(sorted(found.keys() ^ expected.keys()))
        raise ExportError(place, f"its outputs differ from the model's: {names}")
    for name, value in found.items():
        if not np.isfinite(value).all() and np.isfinite(expected[name]).all():
            raise different(place, f"{name} has values that are not finite")


def differences(
    found: Outputs, expected: Outputs, given_boxes: bool = False
) -> dict[str, float]:
    """Returns the largest difference of each raw output, relative to its largest value.

    Without raw outputs, that of the scores of detections: the n-th best score does not
    depend on the order of detections that are almost equal.

    Args:
        found, expected: Outputs of the exported model and of the detector.
        given_boxes: Whether masks are those of given boxes, which have a fixed order.
    """
    raw = sorted(name for name in expected if name.startswith("raw_"))
    # Other masks have the order of detections, which may be almost equal.
    masks = ["detection_masks"] if given_boxes else []
    largest = {}
    for name in (raw or ["detection_scores"]) + masks:
        scale = float(np.max(np.abs(expected[name]), initial=1e-12))
        largest[name] = float(np.max(np.abs(found[name] - expected[name]))) / scale
    return largest


def check_equal(
    found: Outputs, expected: Outputs, place: str, given_boxes: bool = False
) -> None:
    """Raises ExportError if a difference is too large, or other objects are detected.

    Args:
        found, expected: Outputs of the exported model and of the detector.
        place: For the message.
        given_boxes: See `differences`.
    """
    for name, difference in differences(found, expected, given_boxes).items():
        if not difference <= TOLERANCE:  # Also where it is NaN.
            raise different(
                place,
                f"{name} differs from the model's by {difference:.2g} of its "
                f"largest value; {TOLERANCE:g} is allowed",
            )
    for row in range(len(found["detection_scores"])):
        ours, reference = _of_image(found, row), _of_image(expected, 0)
        missing, extra = _missing(reference, ours), _missing(ours, reference)
        if missing or extra:
            what = f"lacks {missing}" if missing else f"has an extra {extra}"
            raise different(place, what)


def equal_detections(found: Outputs, expected: Outputs) -> tuple[int, int]:
    """Counts the detections of one image that are equal, and all.

    Equal are two of the same class with an IoU of 0.9 or more, each used once. Those of
    low score, relative to the best one, are left out.

    Args:
        found, expected: Outputs of the exported model and of the detector.

    Returns:
        The number of equal pairs, and the larger number of detections of both.
    """
    ours, theirs = _of_image(found, 0), _of_image(expected, 0)
    best = float(np.max(theirs["detection_scores"], initial=0.0))
    floor = max(_MIN_RELATIVE_SCORE * best, 1e-12)
    left = list(np.flatnonzero(ours["detection_scores"] > floor))
    wanted = np.flatnonzero(theirs["detection_scores"] > floor)
    total, equal = max(len(left), len(wanted)), 0
    for i in wanted:
        boxes = ours["detection_boxes"][left]
        overlap = iou(theirs["detection_boxes"][i], boxes) if left else np.zeros(0)
        same = ours["detection_classes"][left] == theirs["detection_classes"][i]
        overlap = np.where(same, overlap, -1.0)
        if len(overlap) and overlap.max() >= _EQUAL_BOX_IOU:
            del left[int(overlap.argmax())]
            equal += 1
    return equal, total


def _of_image(outputs: Outputs, row: int) -> Outputs:
    """Returns the outputs that are compared, of one image."""
    return {name: outputs[name][row] for name in _COMPARED if name in outputs}


def different(place: str, problem: str) -> ExportError:
    """Returns the error of an exported model that computes other results."""
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
