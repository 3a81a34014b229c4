"""Writes YOLO txt: `images`, `labels` and `data.yaml`. Boxes only."""

import pathlib
from collections.abc import Iterable
from typing import Any

from odapi.data.formats.writer import COPY, REFER, ImageFiles, Written, samples
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.data.sources.yolo_yaml import format_data_yaml
from odapi.errors import DataError
from odapi.files import write_text

Path = pathlib.Path

_NOT_WRITTEN = (
    "masks",
    "keypoints",
    "area",
    "is_crowd",
    "difficult",
    "group_of",
    "weights",
    "confidences",
    "multiclass_scores",
    "track_ids",
    "densepose_num_points",
    "track_match_flags",
)


def write_yolo(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
) -> Written:
    """Writes samples as `images/SPLIT`, `labels/SPLIT` and `data.yaml`.

    Classes are numbered from 0 without gaps, in the order of their ids.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link".
        split: Name of the split; `data.yaml` lists all splits in the folder.
    """
    if images == REFER:
        raise DataError(
            str(path),
            "YOLO labels must be stored beside images",
            hint="use --images copy or --images link",
        )
    labels = path / "labels" / split
    labels.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path / "images" / split, images)
    categories = sorted(source.label_map, key=lambda c: c.id)
    numbers = {c.index: i for i, c in enumerate(categories)}
    written = Written(path)
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        lines = "".join(_lines(sample, numbers))
        write_text(labels / f"{image.stem}.txt", lines)
        written.lose(sample, _NOT_WRITTEN)
        if sample["header"].orientation != 1:
            _lose_orientation(written, sample)
        written.count += 1
        written.objects += len(sample["boxes"])
    parts = [p for p in ("train", "val", "test") if (path / "images" / p).is_dir()]
    parts += [split] if split not in parts else []
    about: dict[str, Any] = {part: f"images/{part}" for part in parts}
    about["names"] = {i: c.name for i, c in enumerate(categories)}
    write_text(path / "data.yaml", format_data_yaml(about))
    return written


def _lose_orientation(written: Written, sample: Sample) -> None:
    """Counts an image whose boxes refer to the pixels before EXIF rotation."""
    if sample["size"] != sample["header"].shown_size:
        written.losses.add("boxes as stored", "lost", sample["image_id"])


def _lines(sample: Sample, numbers: dict[int, int]) -> Iterable[str]:
    for box, index in zip(sample["boxes"], sample["classes"], strict=True):
        y_min, x_min, y_max, x_max = (float(v) for v in box)
        values = (
            (x_min + x_max) / 2,
            (y_min + y_max) / 2,
            x_max - x_min,
            y_max - y_min,
        )
        row = " ".join(f"{v:.7g}" for v in values)
        yield f"{numbers[int(index)]} {row}\n"
