"""Keypoints that are annotated by name, as arrays in the slots of the label map."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from odapi.data.keypoint_slots import KeypointSlots, placed, with_keypoints_of
from odapi.data.numbers import natural_key
from odapi.data.problems import Problems
from odapi.labels import Category, Keypoint, LabelMap

# Name of a keypoint -> y, x in pixels, and visibility.
NamedPoints = Mapping[str, tuple[float, float, float]]


def label_map_with_keypoints(
    names: Mapping[str, Sequence[str]], source: str
) -> LabelMap:
    """Returns the label map of classes in the given order, with their keypoints.

    Args:
        names: Names of the keypoints by class.
        source: For messages.
    """
    categories, first = [], 0
    for number, (name, points) in enumerate(names.items(), 1):
        keypoints = tuple(Keypoint(first + i, point) for i, point in enumerate(points))
        first += len(keypoints)
        categories.append(Category(number, name, keypoints=keypoints))
    return LabelMap(tuple(categories), source)


def sorted_names(names: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Returns classes and their keypoints in alphabetical order, numbers by value."""
    return {name: sorted(names[name], key=natural_key) for name in sorted(names)}


class NamedKeypoints:
    """Converts named keypoints to arrays.

    Args:
        label_map: The classes.
        dataset: The classes of the dataset, whose keypoints are used if `label_map`
            has none.
        problems: Counts names that the label map lacks.
    """

    def __init__(self, label_map: LabelMap, dataset: LabelMap, problems: Problems):
        if not label_map.num_keypoints:
            label_map = with_keypoints_of(label_map, dataset)
        self.slots = KeypointSlots(label_map, problems)

    def objects(
        self,
        points: Sequence[NamedPoints],
        classes: Sequence[int],
        where: Callable[[int], str],
    ) -> dict[str, np.ndarray]:
        """Returns `keypoints` in pixels and `keypoint_visibility`; {} without names.

        Args:
            points: Keypoints per object.
            classes: Class index per object.
            where: Returns the name of an object, for messages.
        """
        if not self.slots.total:
            return {}
        most = max((len(own) for own in points), default=0)
        table = np.zeros((len(points), most, 3))
        places = np.full((len(points), most), -1, np.int32)
        for i, (own, index) in enumerate(zip(points, classes, strict=True)):
            table[i, : len(own)] = np.array([*own.values()]).reshape(-1, 3)
            if own:
                slots = self.slots.of_object(index, [*own], len(own), where(i))
                places[i, : len(own)] = slots
        objects = {
            "keypoints": table[..., :2].copy(),
            "keypoint_visibility": table[..., 2].copy(),
        }
        return placed(objects, places, self.slots.total)
