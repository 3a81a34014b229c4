"""Slots of keypoints: the position of a keypoint is its id in the label map."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from odapi.data.problems import Problems
from odapi.fields import FIELDS, per_keypoint
from odapi.labels import LabelMap

NO_SLOT = -1  # Slot of a keypoint that is dropped.


class KeypointSlots:
    """Maps names of keypoints to slots; counts names that the label map lacks.

    Args:
        label_map: The classes. If no class has keypoints, keypoints keep the order of
            the annotations.
        problems: Counts unknown names.
    """

    def __init__(self, label_map: LabelMap, problems: Problems):
        self.label_map = label_map
        self.problems = problems
        self.total = label_map.num_keypoints

    def of_object(
        self, index: int, names: Sequence[str], count: int, where: str
    ) -> list[int]:
        """Returns the slot of each keypoint of an object.

        Args:
            index: Class of the object, counted from 0.
            names: Names of the keypoints; empty: those of the class, in order.
            count: Number of keypoints of the object.
            where: The object, for messages.
        """
        if not self.total:
            return list(range(count))
        own = self._own(index)
        if not names:
            if own and len(own) != count:
                self.problems.found("malformed keypoints", where)
                return [NO_SLOT] * count
            return list(own.values()) or [NO_SLOT] * count
        places = [self._place(own, name, where) for name in names[:count]]
        return places + [NO_SLOT] * (count - len(places))

    def _place(self, own: dict[str, int], name: str, where: str) -> int:
        if name in own:
            return own[name]
        if own and name:  # A class without keypoints has no slots to fill.
            self.problems.found("unknown keypoint", f"{where}: {name!r}")
        return NO_SLOT

    @functools.lru_cache  # noqa: B019 - lives as long as the dataset
    def _own(self, index: int) -> dict[str, int]:
        category = self.label_map.by_id.get(index + 1)
        return {k.name: k.id for k in category.keypoints} if category else {}


def placed(
    objects: dict[str, np.ndarray], places: np.ndarray, total: int
) -> dict[str, np.ndarray]:
    """Returns objects with their keypoints moved to the slots of the label map.

    Args:
        objects: Arrays of a sample.
        places: `[n, k]` int: a slot, or `NO_SLOT`.
        total: Number of slots.
    """
    row, column = np.nonzero(places != NO_SLOT)
    moved = dict(objects)
    for key in objects.keys() & set(per_keypoint()):
        old = objects[key]
        new = FIELDS[key].missing_values(len(old), {"k": total}).astype(old.dtype)
        new[row, places[row, column]] = old[row, column]
        moved[key] = new
    return moved


def with_keypoints_of(label_map: LabelMap, dataset: LabelMap) -> LabelMap:
    """Returns a label map with the keypoints that a dataset names.

    Args:
        label_map: The classes, without keypoints.
        dataset: The classes of the dataset, matched by name.
    """
    categories = []
    for category in label_map:
        own = dataset.by_name.get(category.name)
        if own is not None:
            category = dataclasses.replace(
                category,
                keypoints=own.keypoints,
                skeleton=own.skeleton,
                flip=own.flip,
            )
        categories.append(category)
    return dataclasses.replace(label_map, categories=tuple(categories))
