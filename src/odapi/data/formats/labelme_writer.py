"""Writes LabelMe JSON: one file beside each image."""

import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from odapi.data.formats.writer import (
    COPY,
    LOST,
    ImageFiles,
    Written,
    in_pixels,
    samples,
)
from odapi.data.mask_outline import outline
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.files import write_json
from odapi.labels import LabelMap

Path = pathlib.Path

# Optional fields that the format stores.
_STORED = ("masks", "keypoints", "difficult")

_VERSION = "5.5.0"
_OCCLUDED = 1  # Visibility of a keypoint.


def write_labelme(
    source: BaseSource, path: Path, indices: Iterable[int], images: str = COPY
) -> Written:
    """Writes samples as a JSON file beside each image.

    An object is a rectangle; with a mask a polygon along the edges of its pixels, and
    a rectangle if its box is another one. Keypoints are points of its group.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy", "link" or "refer".
    """
    path.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path, images)
    written = Written(path)
    taken: set[str] = set()
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        shapes: list[dict[str, Any]] = []
        for i in range(len(sample["boxes"])):
            shapes += _shapes(sample, i, source.label_map, written)
        height, width = sample["size"]
        content: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": Path(os.path.relpath(image, path)).as_posix(),
            "imageData": None,
            "imageHeight": int(height),
            "imageWidth": int(width),
        }
        write_json(path / f"{_unused(image.stem, taken)}.json", content)
        written.lose_except(sample, _STORED)
        written.count += 1
        written.objects += len(sample["boxes"])
    return written


def _unused(stem: str, taken: set[str]) -> str:
    """Returns a name for a file; images in other folders may share theirs."""
    name, count = stem, 1
    while name in taken:
        count += 1
        name = f"{stem}_{count}"
    taken.add(name)
    return name


def _shapes(
    sample: Sample, i: int, label_map: LabelMap, written: Written
) -> list[dict[str, Any]]:
    """Returns the shapes of an object."""
    category = label_map.by_id[int(sample["classes"][i]) + 1]
    y_min, x_min, y_max, x_max = in_pixels(sample)[i].tolist()
    corners = [[x_min, y_min], [x_max, y_max]]
    shapes = []
    mask = sample["masks"][i] if "masks" in sample else None
    if mask is not None and mask.any():
        points = outline(mask)
        shapes.append(_shape(category.name, "polygon", points.tolist()))
        if np.abs(np.stack([points.min(0), points.max(0)]) - corners).max() > 0:
            shapes.append(_shape(category.name, "rectangle", corners))
    else:
        shapes.append(_shape(category.name, "rectangle", corners))
    if "difficult" in sample and sample["difficult"][i]:
        shapes[0]["difficult"] = True
    named = {k.id: k.name for k in category.keypoints}
    for slot, (y, x) in enumerate(_keypoints(sample, i)):
        if np.isfinite([y, x]).all():
            name = named.get(slot) or f"keypoint {slot}"
            shapes.append(_shape(name, "point", [[round(x, 3), round(y, 3)]]))
            if sample["keypoint_visibility"][i][slot] == _OCCLUDED:
                where = f"{sample['image_id']}, object {i + 1}"
                written.losses.add("occluded keypoints", LOST, where)
    if len(shapes) > 1:
        for shape in shapes:
            shape["group_id"] = i + 1
    return shapes


def _keypoints(sample: Sample, i: int) -> list[list[float]]:
    """Returns y and x of each keypoint in pixels; NaN if unlabeled."""
    if "keypoints" not in sample:
        return []
    size = np.array(sample["size"], np.float64)
    return (sample["keypoints"][i].astype(np.float64) * size).tolist()


def _shape(label: str, kind: str, points: list[list[float]]) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
    }
