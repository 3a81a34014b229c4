"""Writes the layout of the Oxford-IIIT pets: classes in file names, trimaps."""

import collections
import pathlib
from collections.abc import Iterable

import cv2
import numpy as np

from odapi.data.formats.voc_writer import annotation_tree
from odapi.data.formats.writer import (
    COPY,
    LOST,
    ImageFiles,
    Written,
    samples,
)
from odapi.data.numbers import is_whole
from odapi.data.sample import Sample, keep_objects
from odapi.data.sources.base import BaseSource
from odapi.data.sources.pets import BACKGROUND
from odapi.files import write_bytes, write_text

Path = pathlib.Path

# Optional fields that the format stores.
_STORED = ("masks", "difficult")


def write_pets(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
) -> Written:
    """Writes samples as `images`, `annotations/xmls` and `annotations/trimaps`.

    An image has one class, which is in its name: objects of others than that of its
    first object, and images without objects, are lost.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link".
        split: Name of the list of images.
    """
    annotations = path / "annotations"
    (annotations / "xmls").mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path / "images", images)
    written = Written(path)
    lines = []
    numbers = _numbers_in(path / "images")
    for index, sample in samples(source, indices):
        if not len(sample["boxes"]):
            written.losses.add("image without objects", LOST, sample["image_id"])
            continue
        sample = _of_one_class(sample, written)
        category = source.label_map.by_id[int(sample["classes"][0]) + 1]
        name = category.name.replace("/", "_")
        numbers[name] += 1
        named = sample | {"filename": f"{name}_{numbers[name]}.jpg"}
        image = files.put(source, index, named)
        tree = annotation_tree(sample, image.name, source.label_map)
        tree.write(annotations / "xmls" / f"{image.stem}.xml", "utf-8")
        _write_trimap(annotations / "trimaps" / f"{image.stem}.png", sample, written)
        lines.append(f"{image.stem} {category.id} 1 1\n")
        written.lose_except(sample, _STORED)
        written.count += 1
        written.objects += len(sample["boxes"])
    write_text(annotations / f"{split}.txt", "".join(lines))
    return written


def _numbers_in(folder: Path) -> collections.Counter[str]:
    """Returns the highest number per class in the names of a folder."""
    highest: collections.Counter[str] = collections.Counter()
    for file in folder.iterdir():
        name, _, number = file.stem.rpartition("_")
        if is_whole(number):
            highest[name] = max(highest[name], int(number))
    return highest


def _of_one_class(sample: Sample, written: Written) -> Sample:
    """Returns the sample with the objects of the class of the first one."""
    keep = sample["classes"] == sample["classes"][0]
    if not keep.all():
        count = int((~keep).sum())
        written.losses.add("object of another class", LOST, sample["image_id"], count)
        sample = keep_objects(sample, keep)
    return sample


def _write_trimap(file: Path, sample: Sample, written: Written) -> None:
    """Writes the mask of the only object that has one; several are lost."""
    masks = [mask for mask in sample.get("masks", ()) if mask.any()]
    if len(masks) > 1:
        written.lose(sample, ("masks",))
    elif masks:
        trimap = np.where(masks[0], 1, BACKGROUND).astype(np.uint8)
        write_bytes(file, cv2.imencode(".png", trimap)[1].tobytes())
