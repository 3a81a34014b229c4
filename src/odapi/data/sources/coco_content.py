"""Content of a COCO file: validation, and ids in one form."""

import pathlib
from typing import Any

from odapi.errors import DataError
from odapi.files import read_json

Path = pathlib.Path
Json = dict[str, Any]

_LISTS = ("images", "annotations", "categories")


def read_content(file: Path) -> Json:
    """Returns the content of a COCO file, with ids as `plain_id` gives them.

    Raises:
        DataError: It is not a COCO file.
    """
    content = read_json(file)
    if isinstance(content, list):
        raise DataError(
            str(file),
            "is a list of COCO results: detections without images and categories",
            hint="to train on predictions, write a dataset: odapi predict MODEL IMAGES "
            "--save-coco FOLDER",
        )
    lacking = [
        k
        for k in _LISTS
        if not isinstance(content, dict) or not isinstance(content.get(k), list)
    ]
    if lacking == ["annotations"] and "annotations" not in content:
        content["annotations"] = []  # Image lists, such as those of test sets.
    elif lacking:
        raise DataError(
            str(file),
            f"is not a COCO file: it has no list {', '.join(lacking)}",
            hint="COCO files have images, annotations and categories; other formats "
            "are read by voc:, yolo:, csv:, labelme:, tfrecord: and others",
        )
    for key in _LISTS:
        for number, entry in enumerate(content[key], 1):
            _normalize_ids(entry, f"entry {number} of {key}", file)
    for category in content["categories"]:
        named = category.get("name") not in (None, "")
        if not named or type(category.get("id")) is not int:
            raise DataError(
                str(file),
                f"a category needs an id and a name, got {category}",
                hint="ids of categories are integers, from 1",
            )
    return content


def _normalize_ids(entry: Any, name: str, file: Path) -> None:
    """Replaces the ids of an image, annotation or category."""
    if not isinstance(entry, dict):
        raise DataError(str(file), f"{name} is not an object, got {entry!r}")
    for field in ("id", "image_id", "category_id"):
        if field in entry:
            entry[field] = plain_id(entry[field])


def plain_id(value: Any) -> Any:
    """Returns an id as an integer if it is one, also as text, else unchanged.

    Leading zeros are kept: `"0012"` is a name. An id that cannot be compared, such as
    a list, becomes its text.
    """
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        is_number = digits.isascii() and digits.isdecimal() and len(digits) < 19
        return int(text) if is_number and str(int(text)) == text else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return str(value) if isinstance(value, list | dict) else value
