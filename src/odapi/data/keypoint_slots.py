"""Which place the keypoints of an object have: that of their ids in the label map."""

import functools
from collections.abc import Sequence

import numpy as np

from odapi.data.problems import Problems
from odapi.fields import FIELDS, per_keypoint
from odapi.labels import LabelMap

NOWHERE = -1  # Place of a keypoint that is left out.


class KeypointPlaces:
    """Looks up names of keypoints; counts those that the label map does not have.

    Args:
        label_map: The classes. Where no class of it has keypoints, they keep the
            order of the annotations.
        problems: Where unknown names are counted.
    """

    def __init__(self, label_map: LabelMap, problems: Problems):
        self.label_map = label_map
        self.problems = problems
        self.total = label_map.num_keypoints

    def of_object(
        self, index: int, names: Sequence[str], count: int, where: str
    ) -> list[int]:
        """Returns the place of each keypoint of an object.

        Args:
            index: Class of the object, from 0.
            names: Of the keypoints; empty: they are those of the class, in order.
            count: How many keypoints the object has.
            where: The object, for messages.
        """
        if not self.total:
            return list(range(count))
        own = self._own(index)
        if not names:
            if own and len(own) != count:
                self.problems.found("malformed keypoints", where)
                return [NOWHERE] * count
            return list(own.values()) or [NOWHERE] * count
        places = [self._place(own, name, where) for name in names[:count]]
        return places + [NOWHERE] * (count - len(places))

    def _place(self, own: dict[str, int], name: str, where: str) -> int:
        if name in own:
            return own[name]
        if own and name:  # A class without keypoints has none to learn.
            self.problems.found("unknown keypoint", f"{where}: {name!r}")
        return NOWHERE

    @functools.lru_cache  # noqa: B019 - as long-lived as the data set
    def _own(self, index: int) -> dict[str, int]:
        category = self.label_map.by_id.get(index + 1)
        return {k.name: k.id for k in category.keypoints} if category else {}


def placed(
    objects: dict[str, np.ndarray], places: np.ndarray, total: int
) -> dict[str, np.ndarray]:
    """Returns objects whose keypoints have the places of the label map.

    Args:
        objects: Arrays of a sample.
        places: `[n, k]` int: a place, or `NOWHERE`.
        total: Number of places.
    """
    row, column = np.nonzero(places != NOWHERE)
    moved = dict(objects)
    for key in objects.keys() & set(per_keypoint()):
        old = objects[key]
        new = FIELDS[key].missing_values(len(old), {"k": total}).astype(old.dtype)
        new[row, places[row, column]] = old[row, column]
        moved[key] = new
    return moved
