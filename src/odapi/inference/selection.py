"""Selection of predicted objects: by score, by class, and the best ones per image."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from odapi.arguments import check_count, check_fraction
from odapi.errors import DataError, did_you_mean
from odapi.labels import LabelMap
from odapi.wording import first_names

_MAX_NAMES = 10  # In a message.


@dataclasses.dataclass(frozen=True)
class Selection:
    """The objects to keep.

    Args:
        min_score: Objects with a lower score are left out.
        class_ids: Ids of the classes to keep; None: all.
        max_detections: Maximum number of objects per image; None: all.

    Raises:
        DataError: A value is out of range.
    """

    min_score: float = 0.5
    class_ids: frozenset[int] | None = None
    max_detections: int | None = None

    def __post_init__(self) -> None:
        check_fraction("min_score", self.min_score)
        if self.max_detections is not None:
            check_count("max_detections", self.max_detections)

    def of_classes(self, class_ids: np.ndarray) -> np.ndarray:
        """Returns which objects are of the classes to keep, `[n]` bool."""
        if self.class_ids is None:
            return np.ones(len(class_ids), bool)
        return np.isin(class_ids, list(self.class_ids))

    def rows(self, scores: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
        """Returns the indices of the objects to keep, best first.

        Objects with a score of 0 are padding and never kept.
        """
        keep = self.of_classes(class_ids) & (scores >= self.min_score) & (scores > 0)
        indices = np.flatnonzero(keep)
        best = indices[np.argsort(-scores[indices], kind="stable")]
        return best[: self.max_detections]


def class_ids(
    classes: Iterable[str | int] | str | int | None, label_map: LabelMap
) -> frozenset[int] | None:
    """Returns the ids of classes that are given by name or id; None for None.

    A text is a name, else an id, else several of them separated by commas.

    Raises:
        DataError: The model has no such class.
    """
    if classes is None:
        return None
    items = [classes] if isinstance(classes, str | int) else list(classes)
    found: set[int] = set()
    for item in items:
        found |= _ids(item, label_map)
    if not found:
        raise DataError("classes", "none are given", hint="leave it out to keep all")
    return frozenset(found)


def _ids(item: Any, label_map: LabelMap) -> set[int]:
    if isinstance(item, str):
        category = label_map.by_name.get(item)
        if category is not None:
            return {category.id}
        parts = [part.strip() for part in item.split(",")]
        if len(parts) > 1:
            return set().union(*(_ids(part, label_map) for part in parts if part))
    return {_id(item, label_map)}


def _id(item: Any, label_map: LabelMap) -> int:
    """Returns the id of a class that is no name."""
    is_number = isinstance(item, int | np.integer) and not isinstance(item, bool)
    if is_number or (isinstance(item, str) and item.isdecimal()):
        number = int(item)
        # Without names any id may be one of the model.
        if number in label_map.by_id or (not label_map and number > 0):
            return number
    names = [category.label for category in label_map]
    known = f"; they are {first_names(names, _MAX_NAMES)}" if names else ""
    hint = did_you_mean(item, names) if isinstance(item, str) else ""
    if not names:
        hint = "the model does not name its classes: --label-map FILE names them"
    raise DataError("classes", f"the model has no class {item!r}{known}", hint)
