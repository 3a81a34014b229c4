"""Fields of LVIS files beyond COCO's: labeled classes of images, class frequencies."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.data.problems import Problems
from odapi.data.sources.coco_content import Json, plain_id
from odapi.fields import LABELED_CLASSES, NOT_EXHAUSTIVE
from odapi.labels import LabelMap

NEGATIVE, PARTIAL = "neg_category_ids", "not_exhaustive_category_ids"

# Letters of a file, and names of a label map.
FREQUENCIES = {"f": "FREQUENT", "c": "COMMON", "r": "RARE"}

_MAX_INT32 = 2**31 - 1


def labeled_classes(
    image: Json,
    present: list[int],
    names: Mapping[Any, str],
    label_map: LabelMap,
    problems: Problems,
) -> dict[str, np.ndarray]:
    """Returns the classes that were annotated in an image, by key of a sample.

    Args:
        image: The entry of the file.
        present: Indices of the classes of its objects.
        names: Names of the categories by id.
        label_map: The classes; those that it lacks are left out.
        problems: Counts fields that are not lists.

    Returns:
        Empty for an image without negative categories, such as of COCO, which means
        that all classes were annotated.
    """
    if NEGATIVE not in image:
        return {}
    found = {}
    for field in (NEGATIVE, PARTIAL):
        ids = image.get(field) or []
        if not isinstance(ids, list):
            where = f"{image['file_name']}: {field} {ids!r}"
            problems.found("malformed number", where)
            ids = []
        named = (names.get(plain_id(i)) for i in ids)
        known = (label_map.by_name.get(name) for name in named if name is not None)
        found[field] = {category.index for category in known if category is not None}
    return {
        LABELED_CLASSES: np.array(sorted(found[NEGATIVE] | {*present}), np.int32),
        NOT_EXHAUSTIVE: np.array(sorted(found[PARTIAL]), np.int32),
    }


def frequency_fields(category: Json) -> dict[str, Any]:
    """Returns `frequency` and `instance_count` of a category for a label map."""
    count = category.get("instance_count")
    sound = type(count) is int and 0 <= count <= _MAX_INT32
    return {
        "frequency": FREQUENCIES.get(str(category.get("frequency")), ""),
        "instance_count": count if sound else 0,
    }


def name_from_url(image: Any) -> None:
    """Names an image of LVIS v1 after its URL, such as `val2017/000000000139.jpg`."""
    if not isinstance(image, dict) or image.get("file_name"):
        return
    url = image.get("coco_url")
    if isinstance(url, str) and url.strip("/"):
        image["file_name"] = "/".join(url.strip("/").split("/")[-2:])
