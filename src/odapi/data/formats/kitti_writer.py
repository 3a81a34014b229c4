"""Writes KITTI label files: `SPLIT/label_2` and `SPLIT/image_2`."""

import pathlib
from collections.abc import Iterable

import numpy as np

from odapi.data.formats.writer import (
    COPY,
    LOST,
    ImageFiles,
    Written,
    in_pixels,
    samples,
)
from odapi.data.sample import Sample, keep_objects
from odapi.data.sources.base import BaseSource
from odapi.data.sources.kitti import DONT_CARE
from odapi.files import write_text
from odapi.labels import LabelMap

Path = pathlib.Path

# Not truncated, visible, unknown angle; and the unknown position in space.
_BEFORE, _AFTER = "0.00 0 -10", "-1 -1 -1 -1000 -1000 -1000 -10"


def write_kitti(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
) -> Written:
    """Writes samples as one label file per image.

    Crowds of weight 0 are written as regions `DontCare`.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link".
        split: Name of the folder of the split.
    """
    labels = path / split / "label_2"
    labels.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path / split / "image_2", images)
    written = Written(path)
    for category in source.label_map:
        if len(category.name.split()) > 1:
            written.losses.add("space in a class name", LOST, category.name)
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        ignored = _ignored(sample)
        lines = _lines(keep_objects(sample, ~ignored), source.label_map)
        regions = dict.fromkeys(_sides(keep_objects(sample, ignored)))
        lines += [f"{DONT_CARE} -1 -1 -10 {sides} {_AFTER}\n" for sides in regions]
        write_text(labels / f"{image.stem}.txt", "".join(lines))
        written.lose_except(keep_objects(sample, ~ignored))
        written.count += 1
        written.objects += len(sample["boxes"])
    return written


def _ignored(sample: Sample) -> np.ndarray:
    """Returns `[n]` bool: the objects that are neither learned nor counted."""
    count = len(sample["boxes"])
    crowd = np.asarray(sample.get("is_crowd", np.zeros(count, bool)))
    return crowd & (np.asarray(sample.get("weights", np.ones(count))) == 0)


def _lines(sample: Sample, label_map: LabelMap) -> list[str]:
    return [
        f"{'_'.join(label_map.by_id[int(index) + 1].name.split())} "
        f"{_BEFORE} {sides} {_AFTER}\n"
        for index, sides in zip(sample["classes"], _sides(sample), strict=True)
    ]


def _sides(sample: Sample) -> list[str]:
    """Returns left, top, right and bottom of each box."""
    boxes = in_pixels(sample)[:, [1, 0, 3, 2]]
    return [" ".join(f"{side:.2f}" for side in box) for box in boxes.tolist()]
