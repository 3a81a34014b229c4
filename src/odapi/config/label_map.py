"""Label maps: the pbtxt files that number the classes of a data set."""

import os
import pathlib
from typing import Any

from odapi.config import parse, scan
from odapi.config.protos import string_int_label_map_pb2 as pb
from odapi.errors import DataError, OdapiError
from odapi.files import write_text
from odapi.labels import Category, Keypoint, LabelMap
from odapi.wording import first_names

LABEL_MAP = "label_map.pbtxt"

_BACKGROUND = ("background", "__background__", "bg", "none_of_the_above")


def load_label_map(path: str | os.PathLike) -> LabelMap:
    """Returns the label map of a pbtxt file.

    An item with id 0 is dropped where it stands for the background, as it does
    in label maps of old; models count the background by themselves.

    Raises:
        DataError: The file cannot be read or parsed, or an item has no id, an
            id below 1, no name, or the id or name of another item. Place is
            file and line.
    """
    return parse_label_map(parse.read_text(path, DataError), str(path))


def parse_label_map(text: str, source: str = "label map") -> LabelMap:
    """Returns the label map of a text in the form of a pbtxt file.

    Raises:
        DataError: As `load_label_map`.
    """
    message = parse.parse(text, pb.StringIntLabelMap(), source, DataError)
    lines = scan.top_level(text, "item")
    categories: list[Category] = []
    seen: dict[tuple[str, Any], int] = {}
    for index, item in enumerate(message.item):
        line = lines[index] if index < len(lines) else 1
        category = _category(item, f"{source}:{line}")
        if category is None:
            continue
        for what in ("id", "name"):
            value = getattr(category, what)
            if (what, value) in seen:
                first = seen[what, value]
                raise DataError(
                    f"{source}:{line}",
                    f"{what} {value!r} is already that of the item on line {first}",
                    hint="each class needs its own id and its own name",
                )
            seen[what, value] = line
        categories.append(category)
    if not categories:
        raise DataError(
            source,
            "has no items",
            hint="write one block per class: item { id: 1 name: 'dog' }",
        )
    return LabelMap(tuple(categories), source)


def save_label_map(
    label_map: LabelMap, path: str | os.PathLike, error: type[OdapiError] = DataError
) -> None:
    """Writes a label map as a pbtxt file, which loads back equal.

    Raises:
        OdapiError: Of the type `error`: the file cannot be written.
    """
    write_text(path, label_map_text(label_map), error=error)


def place_label_map(label_map: LabelMap, folder: str | os.PathLike) -> pathlib.Path:
    """Writes `label_map.pbtxt` beside a dataset; an existing one is kept.

    Raises:
        DataError: As `check_label_map`.
    """
    path = pathlib.Path(folder) / LABEL_MAP
    check_label_map(label_map, path)
    if not path.exists():
        save_label_map(label_map, path)
    return path


def check_label_map(label_map: LabelMap, path: pathlib.Path) -> None:
    """Checks that a label map that other data may need has the classes of a dataset.

    Raises:
        DataError: It has other classes or ids.
    """
    if not path.exists():
        return
    there = _named_ids(load_label_map(path))
    wrong = [
        f"{name!r} is {there.get(name) or 'missing'} there, {number} in the dataset"
        for name, number in _named_ids(label_map).items()
        if there.get(name) != number
    ]
    if wrong:
        raise DataError(
            str(path),
            f"exists already, with other ids: {first_names(wrong, 5)}",
            hint=f"use its classes, --label-map {path}, or write to another folder",
        )


def _named_ids(label_map: LabelMap) -> dict[str, int]:
    return {category.name: category.id for category in label_map}


def label_map_text(label_map: LabelMap) -> str:
    """Returns a label map as the text of a pbtxt file."""
    message = pb.StringIntLabelMap()
    for category in label_map:
        item = message.item.add(name=category.name, id=category.id)
        if category.display_name:
            item.display_name = category.display_name
        for keypoint in category.keypoints:
            item.keypoints.add(id=keypoint.id, label=keypoint.name)
        item.ancestor_ids.extend(category.ancestor_ids)
        item.descendant_ids.extend(category.descendant_ids)
        if category.frequency:
            number: Any = pb.LVISFrequency.Value(category.frequency)
            item.frequency = number
        if category.instance_count:
            item.instance_count = category.instance_count
    return parse.to_text(message)


def _category(item: Any, place: str) -> Category | None:
    """Returns the category of an item, or None for the background."""
    name = item.name or item.display_name
    if not item.HasField("id"):
        raise DataError(
            place, f"item {name!r} has no id", hint="ids count from 1: id: 1"
        )
    if item.id == 0 and name.lower() in _BACKGROUND:
        return None
    if item.id < 1:
        raise DataError(
            place,
            f"item {name!r} has id {item.id}; ids count from 1",
            hint="0 stands for the background; add 1 to every id",
        )
    if not name.strip():
        raise DataError(
            place, f"item {item.id} has no name", hint="add name: '...' to it"
        )
    return Category(
        id=item.id,
        name=name,
        display_name=item.display_name if item.name else "",
        keypoints=tuple(Keypoint(k.id, k.label) for k in item.keypoints),
        ancestor_ids=tuple(item.ancestor_ids),
        descendant_ids=tuple(item.descendant_ids),
        frequency=_frequency(item),
        instance_count=item.instance_count,
    )


def _frequency(item: Any) -> str:
    name = pb.LVISFrequency.Name(item.frequency)
    return "" if name == "UNSPECIFIED" else name
