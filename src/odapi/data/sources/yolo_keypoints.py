"""Keypoints of YOLO datasets: `kpt_shape`, `kpt_names` and `flip_idx` of data.yaml."""

import dataclasses
from collections.abc import Mapping, Sequence

from odapi.data.numbers import is_whole
from odapi.data.sources.yolo_names import shorten
from odapi.data.sources.yolo_yaml import DataFile
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap
from odapi.wording import counted

_MAX_KEYPOINTS = 10_000  # Per object.


@dataclasses.dataclass(frozen=True)
class KeypointShape:
    """Keypoints of the objects of a dataset.

    Args:
        count: Keypoints per object.
        dimensions: Values per keypoint: x, y, and visibility if 3.
        names: Names of the keypoints by class number; empty for a class without
            keypoints.
        common: Names for classes that are not in `names`; None if unnamed.
        flip: Place of the mirror image of each keypoint; empty if unknown.
    """

    count: int
    dimensions: int
    names: Mapping[int, Sequence[str]] = dataclasses.field(default_factory=dict)
    common: Sequence[str] | None = None
    flip: Sequence[int] = ()

    def names_of(self, number: int) -> Sequence[str] | None:
        """Returns the names of the keypoints of a class, or None if unnamed."""
        return self.names.get(number, self.common)


def keypoint_shape(file: DataFile) -> KeypointShape | None:
    """Returns the keypoints that a data.yaml describes, or None.

    Raises:
        DataError: `kpt_shape`, `kpt_names` or `flip_idx` is malformed, or they
            contradict each other.
    """
    shape = file.get("kpt_shape")
    if shape is None:
        return None
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(isinstance(v, str) and is_whole(v) for v in shape)
        or not 1 <= int(shape[0]) <= _MAX_KEYPOINTS
        or int(shape[1]) not in (2, 3)
    ):
        raise DataError(
            file.place("kpt_shape"),
            f"kpt_shape must be [count, 2 or 3], got {shorten(shape)}",
            hint="the second number is 3 if a visibility follows each x and y",
        )
    count, dimensions = int(shape[0]), int(shape[1])
    names, common = _names(file, count)
    return KeypointShape(count, dimensions, names, common, _flip(file, count))


def _names(
    file: DataFile, count: int
) -> tuple[dict[int, Sequence[str]], Sequence[str] | None]:
    """Returns names by class number, and those of all other classes."""
    given = file.get("kpt_names")
    if given is None:
        return {}, None
    if isinstance(given, list) and all(isinstance(v, str) for v in given):
        _check_names(file, "all classes", given, count)
        return {}, given
    if isinstance(given, list):
        given = {str(i): names for i, names in enumerate(given)}
    if not isinstance(given, dict) or not all(
        is_whole(k) and isinstance(v, list) for k, v in given.items()
    ):
        raise DataError(
            file.place("kpt_names"),
            f"kpt_names must be lists of names by class number, got {shorten(given)}",
            hint="write kpt_names: {0: [nose, tail]}",
        )
    for number, names in given.items():
        _check_names(file, f"class {number}", names, count)
    return {int(number): names for number, names in given.items()}, None


def _check_names(file: DataFile, owner: str, names: list, count: int) -> None:
    texts = [n for n in names if isinstance(n, str) and n]
    if len(texts) < len(names) or not len(set(texts)) == len(names) <= count:
        raise DataError(
            file.place("kpt_names"),
            f"kpt_names of {owner} must be up to {count} different names, as "
            f"kpt_shape has {counted(count, 'keypoint')}; got {len(names)}: "
            f"{shorten(names)}",
        )


def _flip(file: DataFile, count: int) -> tuple[int, ...]:
    given = file.get("flip_idx")
    if given is None or given == []:
        return ()
    texts = given if isinstance(given, list) else []
    numbers = [int(v) for v in texts if isinstance(v, str) and is_whole(v)]
    if sorted(numbers) != list(range(count)):
        raise DataError(
            file.place("flip_idx"),
            f"flip_idx must have each number from 0 to {count - 1} once, got "
            f"{shorten(given)}",
            hint="it is the place of the mirror image of each keypoint",
        )
    return tuple(numbers)


def with_keypoints(label_map: LabelMap, shape: KeypointShape) -> LabelMap:
    """Returns a label map whose classes have the keypoints of a dataset.

    Keypoints without names are numbered: "keypoint 0".

    Args:
        label_map: The classes, in the order of their numbers.
        shape: The keypoints.
    """
    categories: list[Category] = []
    first = 0
    for number, category in enumerate(label_map):
        names = shape.names_of(number)
        if names is None:
            names = [f"keypoint {i}" for i in range(shape.count)]
        keypoints = tuple(Keypoint(first + i, n) for i, n in enumerate(names))
        flip = shape.flip if len(names) == shape.count else ()
        categories.append(
            dataclasses.replace(
                category, keypoints=keypoints, flip=tuple(first + i for i in flip)
            )
        )
        first += len(keypoints)
    return dataclasses.replace(label_map, categories=tuple(categories))
