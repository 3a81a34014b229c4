"""Checks of whole datasets: mistakes that no single object shows.

Each check is a row of `CHECKS`: a name, by which `options.data_loading.allow` turns it
off, and a function of a `Survey`.
"""

import collections
import dataclasses
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.data.survey import Survey

_MOST = 0.5  # Share of the objects that is most of them.
_SHARE_PX = 1.5  # No box of a dataset in pixels ends before this.
_MIN_IMAGE = 8  # Pixels; below, boxes of one pixel are possible.
_FEW, _SOME = 3, 5  # Objects that prove nothing when they agree.
_SHARE_MISPLACED = 0.2  # Of boxes that are not within their images.
_HALF = 0.505  # Share of a side in which boxes lie that fit an image of half its size.
_WHOLE = 0.98  # Share of the image that a box around all of it covers.
_MANY = 10  # Objects that do prove something.
_TOLERANCE = 1e-4  # Of equal boxes, normalized.


@dataclasses.dataclass(frozen=True)
class SetFinding:
    """A mistake of a whole dataset.

    Args:
        check: Name of the check, a value of `options.data_loading.allow`.
        problem: The problem, with numbers.
        hint: The likely cause and the next step.
        is_error: True if nothing can be learned from the dataset.
    """

    check: str
    problem: str
    hint: str = ""
    is_error: bool = False

    def __str__(self) -> str:
        return self.problem + (f" ({self.hint})" if self.hint else "")


def check_set(survey: "Survey") -> list[SetFinding]:
    """Returns the mistakes of a dataset, errors first."""
    found = [f for check in CHECKS.values() if (f := check(survey)) is not None]
    if not survey.is_complete:
        part = f"; checked {survey.checked} of {counted(survey.num_images, 'image')}"
        found = [dataclasses.replace(f, problem=f.problem + part) for f in found]
    return sorted(found, key=lambda f: not f.is_error)


def _no_objects(survey: "Survey") -> SetFinding | None:
    if survey.usable:
        return None
    if survey.unreadable == survey.checked:
        problem = f"none of its {counted(survey.num_images, 'image')} can be read"
        return SetFinding("no_objects", problem, is_error=True)
    if not survey.lost:
        without = survey.num_images - survey.unreadable
        problem = f"has no objects: {counted(without, 'image')} without any"
        if survey.unreadable:
            problem += f", {survey.unreadable} that cannot be read"
        hint = "is it the right file, or the right folder of annotations?"
        return SetFinding("no_objects", problem, hint, is_error=True)
    kinds = ", ".join(f"{kind}: {n}" for kind, n in survey.lost.most_common())
    total = survey.stored + survey.opened.total()
    return SetFinding(
        "no_objects",
        f"none of its {counted(total, 'object')} can be used ({kinds})",
        _cause(survey, survey.lost.most_common(1)[0][0]),
        is_error=True,
    )


def _dropped_objects(survey: "Survey") -> SetFinding | None:
    kinds = [k for k in survey.lost if k != "unknown class, dropped"]  # Asked for.
    worst = max(kinds, key=survey.share_lost, default="")
    if not survey.usable or not worst or survey.share_lost(worst) <= _MOST:
        return None
    share, count = survey.share_lost(worst), survey.lost[worst]
    return SetFinding(
        "dropped_objects",
        f"{share:.0%} of the objects are dropped for one reason, {worst} ({count})",
        _cause(survey, worst),
    )


def _changed_boxes(survey: "Survey") -> SetFinding | None:
    if _pixel_boxes(survey):
        return None
    for kind, count in survey.changed.most_common(1):
        if survey.usable and count > _MOST * survey.stored:
            return SetFinding(
                "changed_boxes",
                f"{count} of {counted(survey.stored, 'box', 'boxes')} are changed for "
                f"one reason, {kind}",
                _CAUSES[kind],
            )
    return _misplaced_boxes(survey)


def _misplaced_boxes(survey: "Survey") -> SetFinding | None:
    """Finds boxes of which many, but not most, are not within their images."""
    outside = "box outside the image"
    count = survey.changed["box beyond the image"] + survey.lost[outside]
    if count < _MANY or count <= _SHARE_MISPLACED * survey.stored:
        return None
    if not survey.usable or survey.share_lost(outside) > _MOST:
        return None
    return SetFinding(
        "changed_boxes",
        f"{count} of {counted(survey.stored, 'box', 'boxes')} reach beyond their "
        "images or lie outside of them",
        "are they of images of another size, are x and y exchanged, or are they "
        "centers or corners where others are expected?",
    )


def _normalized_boxes(survey: "Survey") -> SetFinding | None:
    high = survey.highest_px
    if high is None or survey.min_side < _MIN_IMAGE:
        return None
    if high > _SHARE_PX:
        return _small_boxes(survey)
    return SetFinding(
        "normalized_boxes",
        f"no box reaches beyond {high:g} pixels, in images of {survey.min_side} pixels "
        "and more",
        "the boxes seem to be shares of width and height; this format has pixels: "
        "multiply x by the width and y by the height of the image",
        is_error=True,
    )


def _small_boxes(survey: "Survey") -> SetFinding | None:
    """Finds a dataset in which only most of the boxes are shares."""
    if survey.num_small <= _MOST * survey.stored:
        return None
    return SetFinding(
        "normalized_boxes",
        f"{survey.num_small} of {counted(survey.stored, 'box', 'boxes')} are smaller "
        "than a pixel",
        "are they shares of width and height? This format has pixels",
    )


def _pixel_boxes(survey: "Survey") -> SetFinding | None:
    # Without any usable object, they are the cause that `_no_objects` gives.
    if not survey.usable or survey.num_far <= _MOST * survey.stored:
        return None
    return SetFinding(
        "pixel_boxes",
        f"{survey.num_far} of {counted(survey.stored, 'box', 'boxes')} are far outside "
        f"of their images, with coordinates up to {survey.highest_share:g}",
        _PIXELS,
        is_error=True,
    )


def _whole_image_boxes(survey: "Survey") -> SetFinding | None:
    areas = (survey.boxes[:, 2:] - survey.boxes[:, :2]).prod(1)
    if survey.usable < _FEW or (areas < _WHOLE).any():
        return None
    return SetFinding(
        "whole_image_boxes",
        f"every box of {counted(survey.usable, 'object')} covers its whole image",
        "a detector cannot learn positions from labels of images",
    )


def _equal_boxes(survey: "Survey") -> SetFinding | None:
    boxes = survey.boxes
    if survey.usable < _FEW or np.ptp(boxes, axis=0).max() > _TOLERANCE:
        return None
    if _whole_image_boxes(survey):
        return None
    shown = ", ".join(f"{v:.3g}" for v in boxes[0])
    return SetFinding(
        "equal_boxes",
        f"all {counted(survey.usable, 'box', 'boxes')} are equal: [{shown}] as shares "
        f"of y, x, y, x",
        "were they written by a script with fixed numbers?",
    )


def _one_class(survey: "Survey") -> SetFinding | None:
    if len(survey.declared) < 2 or len(survey.classes) != 1:
        return None
    if survey.usable < _SOME:
        return None
    used = next(iter(survey.classes)) + 1
    return SetFinding(
        "one_class",
        f"all {counted(survey.usable, 'object')} have one class (id {used}), but "
        f"{len(survey.declared)} are declared: {', '.join(survey.declared[:5])}"
        + (", ..." if len(survey.declared) > 5 else ""),
        "does the export write the class of every object?",
    )


def _similar_classes(survey: "Survey") -> SetFinding | None:
    names: dict[str, list[str]] = collections.defaultdict(list)
    for name in survey.declared:
        names[_letters(name)].append(name)
    # Single letters may be different classes, as in the recognition of text.
    same = [n for letters, n in names.items() if len(n) > 1 and len(letters) > 1]
    if not same:
        return None
    shown = "; ".join(", ".join(map(repr, n)) for n in same[:3])
    return SetFinding(
        "similar_classes",
        f"classes whose names differ only in case, spaces or hidden characters: {shown}"
        + ("; ..." if len(same) > 3 else ""),
        "if they are one class, write its name in one way",
    )


def _letters(name: str) -> str:
    """Returns a name without case, spaces, hyphens and hidden characters."""
    text = unicodedata.normalize("NFC", name).casefold()
    return "".join(
        c for c in text if c not in "_-" and unicodedata.category(c)[0] not in "ZC"
    )


def _corner_boxes(survey: "Survey") -> SetFinding | None:
    if survey.usable < _MANY or survey.num_annotated < _FEW:
        return None
    if survey.boxes[:, 2:].max() > _HALF:
        return None
    if _normalized_boxes(survey) or _equal_boxes(survey):
        return None
    return SetFinding(
        "corner_boxes",
        f"all {counted(survey.usable, 'box', 'boxes')} lie in the upper left quarter "
        f"of their images",
        "do the boxes belong to smaller versions of the images, or are they percent?",
    )


def _uncounted_objects(survey: "Survey") -> SetFinding | None:
    if survey.usable < _FEW or survey.num_uncounted < survey.usable:
        return None
    return SetFinding(
        "uncounted_objects",
        f"all {counted(survey.usable, 'object')} are marked as crowd, difficult or "
        f"group",
        "metrics do not count such objects; is the mark set by mistake?",
    )


def _unlabeled_keypoints(survey: "Survey") -> SetFinding | None:
    if survey.with_keypoints < _FEW or survey.with_labeled:
        return None
    return SetFinding(
        "unlabeled_keypoints",
        f"none of {counted(survey.with_keypoints, 'object')} with keypoints has a "
        "labeled one",
        "the visibility of labeled keypoints is 1 or 2, and they must not be dropped "
        "as malformed or outside of the image",
    )


def _cause(survey: "Survey", kind: str) -> str:
    """Returns the likely cause of a kind of problem that concerns most objects."""
    if kind == "box outside the image" and survey.num_far:
        return f"coordinates up to {survey.highest_share:g}: {_PIXELS}"
    return _CAUSES.get(kind, "")


_PIXELS = (
    "these are pixels; this format has shares of the width and height of the image: "
    "divide x by the width and y by the height"
)
_CAUSES = {
    "annotation without image": "image_id must be the id of an entry of images",
    "malformed box": "a box has four numbers; YOLO separates them by spaces, and "
    "coordinates of polygons are shares of width and height",
    "NaN box": "a coordinate is missing or no number; rotated boxes are not read",
    "object without class": "no object names a class of the dataset",
    "image label": "annotations without bbox are labels of whole images",
    "box without area": "are the last two numbers width and height, or the far corner?",
    "box outside the image": "do the annotations belong to these images?",
    "box beyond the image": "are they corners where width and height are expected, or "
    "of images of another size?",
    "inverted box": "are corners exchanged, or x and y, or are the last two numbers "
    "width and height?",
    "unknown class, dropped": "compare the class names with the label map",
}

CHECKS: dict[str, Callable[["Survey"], SetFinding | None]] = {
    "no_objects": _no_objects,
    "pixel_boxes": _pixel_boxes,
    "normalized_boxes": _normalized_boxes,
    "dropped_objects": _dropped_objects,
    "changed_boxes": _changed_boxes,
    "whole_image_boxes": _whole_image_boxes,
    "equal_boxes": _equal_boxes,
    "one_class": _one_class,
    "similar_classes": _similar_classes,
    "corner_boxes": _corner_boxes,
    "uncounted_objects": _uncounted_objects,
    "unlabeled_keypoints": _unlabeled_keypoints,
}
EQUAL_IMAGES, SHARED_IMAGES = "equal_images", "shared_images"
# All names; the last two are found by `image_copies`.
NAMES: Sequence[str] = (*CHECKS, EQUAL_IMAGES, SHARED_IMAGES)
