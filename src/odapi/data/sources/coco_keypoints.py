"""Keypoints of COCO annotations as arrays, in the slots of the label map."""

import collections
from typing import Any

import numpy as np

from odapi.data.keypoint_slots import KeypointSlots, placed
from odapi.data.keypoint_values import are_triples, flat_length, read_keypoints
from odapi.data.problems import Problems
from odapi.data.sources.coco_content import Json
from odapi.errors import DataError
from odapi.labels import LabelMap


class KeypointReader:
    """Reads the keypoints of annotations.

    Args:
        content: The content of the file, validated.
        label_map: The classes, with the slots of their keypoints.
        name: Of the file, for messages.
        problems: Counts malformed keypoints.

    Raises:
        DataError: The keypoints of a category are not a list of different names.
    """

    def __init__(
        self, content: Json, label_map: LabelMap, name: str, problems: Problems
    ):
        self.problems = problems
        self.slots = KeypointSlots(label_map, problems)
        self.names_of = {
            c["id"]: keypoint_names(c, name) for c in content["categories"]
        }
        given = collections.defaultdict(list)
        for annotation in content["annotations"]:
            if annotation.get("keypoints"):
                given[annotation.get("category_id")].append(annotation["keypoints"])
        # Without names, a file of triples has no pairs: their number could be either.
        self._has_triples = any(
            flat_length(v) and are_triples(v) for lists in given.values() for v in lists
        )
        self._counts = {
            category_id: len(self.names_of.get(category_id, ()))
            or _usual_count(lists, self._has_triples)
            for category_id, lists in given.items()
        }
        self.num_keypoints = max(self._counts.values(), default=0)

    def objects(
        self, annotations: list[Json], classes: list[int], name: str
    ) -> dict[str, np.ndarray]:
        """Returns `keypoints` in pixels, and `keypoint_visibility` as annotated.

        Args:
            annotations: Of one image.
            classes: The class of each, counted from 0.
            name: Of the image, for messages.
        """
        if not self.num_keypoints:
            return {}
        table = np.zeros((len(annotations), self.num_keypoints, 3))
        places = np.full(table.shape[:2], -1, np.int32)
        for i, (annotation, index) in enumerate(zip(annotations, classes, strict=True)):
            where = f"{name}, annotation {annotation.get('id', '?')}"
            points = self._read(annotation, where)
            if points is None:
                continue
            names = self.names_of.get(annotation.get("category_id"), [])
            table[i, : len(points)] = points
            places[i, : len(points)] = self.slots.of_object(
                index, names, len(points), where
            )
        objects = {
            "keypoints": table[..., 1::-1].copy(),
            "keypoint_visibility": table[..., 2].copy(),
        }
        return placed(objects, places, self.slots.total or self.num_keypoints)

    def _read(self, annotation: Json, where: str) -> np.ndarray | None:
        """Returns `[k, 3]`: x, y, visibility; None if there are none."""
        values, category_id = annotation.get("keypoints"), annotation.get("category_id")
        if not values:
            return None
        may_be_pairs = bool(self.names_of.get(category_id)) or not self._has_triples
        count = self._counts[category_id]
        points, pairs = read_keypoints(values, count, may_be_pairs)
        if points is None:
            self.problems.found("malformed keypoints", where)
        elif pairs:
            self.problems.found("keypoints without visibility", where)
        return points


def keypoint_names(category: Json, place: str) -> list[str]:
    """Returns the names of the keypoints of a category.

    Raises:
        DataError: They are not a list of different names.
    """
    names = category.get("keypoints") or []
    if not isinstance(names, list):
        raise DataError(
            place, f"the keypoints of category {category['name']!r} are not a list"
        )
    names = [str(name) for name in names]
    twice = [name for name, n in collections.Counter(names).items() if n > 1]
    if twice:
        raise DataError(
            place,
            f"category {category['name']!r} has two keypoints with the name "
            f"{twice[0]!r}",
            hint="give each keypoint of a category its own name",
        )
    return names


def _usual_count(lists: list[Any], triples: bool) -> int:
    """Returns the number of keypoints that most objects of a category have."""
    lengths: collections.Counter[int] = collections.Counter()
    for values in lists:
        flat = flat_length(values)
        width = 3 if triples or flat % 2 else 2
        count = flat // width if flat else len(values) if _is_list(values) else 0
        lengths[count] += 1
    return max(lengths, key=lambda n: (lengths[n], n))


def _is_list(values: Any) -> bool:
    return isinstance(values, list | tuple)
