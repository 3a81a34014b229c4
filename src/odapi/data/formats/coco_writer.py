"""Writes COCO and LVIS JSON: masks as run lengths, keypoints, crowds."""

import collections
import math
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from odapi.data.formats.writer import COPY, ImageFiles, Written, in_pixels, samples
from odapi.data.mask_encoding import encode_rle
from odapi.data.numbers import is_whole
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.data.sources.coco import CocoSource
from odapi.data.sources.coco_annotations import EXTRA_FIELDS
from odapi.data.sources.coco_content import plain_id
from odapi.data.sources.lvis_fields import FREQUENCIES, NEGATIVE, PARTIAL
from odapi.fields import LABELED_CLASSES, NOT_EXHAUSTIVE
from odapi.files import read_json, write_json
from odapi.labels import Category, LabelMap

Path = pathlib.Path

# Optional fields that the format stores.
_STORED = (
    "masks",
    "keypoints",
    "area",
    "is_crowd",
    "difficult",
    "group_of",
    "weights",
    "track_ids",
    "labeled_classes",
    "not_exhaustive_classes",
)


def coco_file(path: Path) -> Path:
    """Returns the JSON file that `path`, a file or a folder, means."""
    return path if path.suffix == ".json" else path / "annotations.json"


def write_coco(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    is_lvis: bool = False,
) -> Written:
    """Writes samples as a COCO file, with the images in `images` beside it.

    Args:
        source: The dataset.
        path: The JSON file, or a folder for `annotations.json`.
        indices: The samples to write.
        images: "copy", "link" or "refer".
        is_lvis: Whether every image and category gets the fields of LVIS; otherwise
            only images whose labeled classes are known.

    Returns:
        Counts of written objects, and of values that COCO has no field for.
    """
    file = coco_file(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(file.parent / "images", images)
    written = Written(file)
    content: dict[str, list[Any]] = {
        "images": [],
        "annotations": [],
        "categories": _categories(source.label_map),
    }
    ids = _integers(source.image_ids)
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        height, width = sample["size"]
        content["images"].append(
            {
                "id": ids[index],
                "file_name": Path(os.path.relpath(image, file.parent)).as_posix(),
                "height": int(height),
                "width": int(width),
            }
            | _labeled(sample, source.label_map, is_lvis)
        )
        for i in range(len(sample["boxes"])):
            number = len(content["annotations"]) + 1
            annotation = {"id": number, "image_id": ids[index]}
            annotation |= _annotation(sample, i, source.label_map)
            content["annotations"].append(annotation)
        written.lose_except(sample, _STORED)
        written.count += 1
        written.objects += len(sample["boxes"])
    if is_lvis:
        _count_categories(content)
    write_json(file, content, indent=None)
    return written


def _labeled(sample: Sample, label_map: LabelMap, is_lvis: bool) -> dict[str, Any]:
    """Returns the negative and the partially annotated categories of an image."""
    if LABELED_CLASSES not in sample and not is_lvis:
        return {}
    every = [c.index for c in label_map]
    labeled = np.asarray(sample.get(LABELED_CLASSES, every))
    negative = set(labeled.tolist()) - set(sample["classes"].tolist())
    partial = np.asarray(sample.get(NOT_EXHAUSTIVE, [])).tolist()
    return {
        NEGATIVE: sorted(int(i) + 1 for i in negative),
        PARTIAL: sorted(int(i) + 1 for i in partial),
    }


def _count_categories(content: dict[str, list[Any]]) -> None:
    """Adds the numbers of images and objects, and the frequency, to categories."""
    images = collections.defaultdict(set)
    objects: collections.Counter[int] = collections.Counter()
    for annotation in content["annotations"]:
        images[annotation["category_id"]].add(annotation["image_id"])
        objects[annotation["category_id"]] += 1
    for category in content["categories"]:
        count = len(images[category["id"]])
        letter = next(key for key, most in _MOST_IMAGES.items() if count <= most)
        category.setdefault("frequency", letter)
        category.setdefault("instance_count", objects[category["id"]])
        category |= {"image_count": count, "synset": "", "synonyms": [], "def": ""}
    for image in content["images"]:
        image["coco_url"] = image["file_name"]  # Readers take the name from it.


# Images of a rare and of a common category, at most, as LVIS defines them.
_MOST_IMAGES = {"r": 10, "c": 100, "f": math.inf}


def write_coco_part(
    source: CocoSource, path: Path, indices: Iterable[int], images: str = COPY
) -> Written:
    """Writes some images of a COCO file with their original annotations.

    Unlike `write_coco`, annotations are copied unchanged: polygons, fields of other
    tools, and errors.

    Args:
        source: The dataset.
        path: The JSON file to write.
        indices: The samples to write.
        images: "copy", "link" or "refer".
    """
    content = read_json(source.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path.parent / "images", images)
    by_id = {plain_id(image["id"]): image for image in reversed(content["images"])}
    chosen = []
    for index, sample in samples(source, indices):
        name = os.path.relpath(files.put(source, index, sample), path.parent)
        image = by_id[source.own_ids[index]]
        chosen.append(image | {"file_name": Path(name).as_posix()})
    wanted = {plain_id(image["id"]) for image in chosen}
    content["images"] = chosen
    content["annotations"] = [
        a
        for a in content.get("annotations", [])
        if plain_id(a.get("image_id")) in wanted
    ]
    write_json(path, content, indent=None)
    return Written(path, len(chosen), len(content["annotations"]))


def _integers(ids: list[str]) -> list[int]:
    """Returns the ids as integers if all are integers, else numbers from 1."""
    if all(is_whole(i) and str(int(i)) == i for i in ids):
        return [int(i) for i in ids]
    return list(range(1, len(ids) + 1))


def _categories(label_map: LabelMap) -> list[dict[str, Any]]:
    return [
        {"id": c.id, "name": c.name} | _keypoints_of(c) | _frequency_of(c)
        for c in label_map
    ]


def _frequency_of(category: Category) -> dict[str, Any]:
    letters = {name: letter for letter, name in FREQUENCIES.items()}
    fields: dict[str, Any] = {}
    if category.frequency in letters:
        fields["frequency"] = letters[category.frequency]
    if category.instance_count:
        fields["instance_count"] = category.instance_count
    return fields


def _keypoints_of(category: Category) -> dict[str, Any]:
    if not category.keypoints:
        return {}
    names = {"keypoints": [k.name for k in category.keypoints]}
    if not category.skeleton:
        return names
    numbers = {k.id: n for n, k in enumerate(category.keypoints, start=1)}
    lines = [[numbers[a], numbers[b]] for a, b in category.skeleton]
    return names | {"skeleton": lines}


def _annotation(sample: Sample, i: int, label_map: LabelMap) -> dict[str, Any]:
    y_min, x_min, y_max, x_max = in_pixels(sample)[i].tolist()
    box = [x_min, y_min, round(x_max - x_min, 2), round(y_max - y_min, 2)]
    area = sample["area"][i] if "area" in sample else box[2] * box[3]
    annotation: dict[str, Any] = {
        "category_id": int(sample["classes"][i]) + 1,
        "bbox": box,
        "area": float(area),
        "iscrowd": int(sample["is_crowd"][i]) if "is_crowd" in sample else 0,
    }
    if "masks" in sample and sample["masks"][i].any():
        annotation["segmentation"] = encode_rle(sample["masks"][i])
    if "keypoints" in sample:
        category = label_map.by_id.get(annotation["category_id"])
        ids = [k.id for k in category.keypoints] if category else []
        annotation |= _keypoints(sample, i, ids)
    for key, (field, default, _) in EXTRA_FIELDS.items():
        if key in sample and sample[key][i] != default:
            value = sample[key][i].item()
            annotation[field] = int(value) if isinstance(value, bool) else value
    return annotation


def _keypoints(sample: Sample, i: int, ids: list[int]) -> dict[str, Any]:
    """Returns the keypoints of the object's class, or all if its class names none."""
    visibility = sample["keypoint_visibility"][i]
    size = np.array(sample["size"], np.float64)
    points = np.nan_to_num(sample["keypoints"][i].astype(np.float64)) * size
    if ids and max(ids) < len(points):
        points, visibility = points[ids], visibility[ids]
    elif not visibility.any():
        return {}  # A class without keypoints.
    rows = np.column_stack([np.round(points[:, ::-1], 3), visibility])
    values = [int(v) if v == int(v) else float(v) for v in rows.reshape(-1)]
    return {"keypoints": values, "num_keypoints": int((visibility > 0).sum())}
