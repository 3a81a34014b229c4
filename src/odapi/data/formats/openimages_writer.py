"""Writes Open Images CSV: boxes, image labels, class descriptions and masks."""

import csv
import io
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from odapi.data.formats.writer import COPY, ImageFiles, Written, samples
from odapi.data.mask_encoding import encode_png_mask
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.fields import LABELED_CLASSES
from odapi.files import write_bytes, write_text
from odapi.labels import LabelMap

Path = pathlib.Path

# Optional fields that the format stores.
_STORED = ("masks", "group_of", "labeled_classes")

_BOXES = (
    "ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax",
    "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside",
)  # fmt: skip
_LABELS = ("ImageID", "Source", "LabelName", "Confidence")
_MASKS = (
    "MaskPath", "ImageID", "LabelName", "BoxID", "BoxXMin", "BoxXMax", "BoxYMin",
    "BoxYMax", "PredictedIoU", "Clicks",
)  # fmt: skip
_UNKNOWN = -1  # Of attributes that a sample does not have.

_Rows = list[Sequence[object]]


def write_openimages(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
) -> Written:
    """Writes samples as `SPLIT-annotations-bbox.csv` with images in the folder `SPLIT`.

    Image labels are written if the labeled classes of an image are known, or if one
    has no objects: there, each class that was annotated is present or absent.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link".
        split: Name of the split.
    """
    files = ImageFiles(path / split, images)
    written = Written(path)
    boxes: _Rows = []
    labels: _Rows = []
    masks: _Rows = []
    with_labels = False
    for index, sample in samples(source, indices):
        image_id = files.put(source, index, sample).stem
        boxes += _box_rows(image_id, sample, source.label_map)
        labels += _label_rows(image_id, sample, source.label_map)
        with_labels |= LABELED_CLASSES in sample or not len(sample["boxes"])
        if "masks" in sample:
            folder = path / f"{split}-masks"
            masks += _mask_rows(image_id, sample, source.label_map, folder)
        written.lose_except(sample, _STORED)
        written.count += 1
        written.objects += len(sample["boxes"])
    _write(path / f"{split}-annotations-bbox.csv", _BOXES, boxes)
    if with_labels:
        name = f"{split}-annotations-human-imagelabels-boxable.csv"
        _write(path / name, _LABELS, labels)
    if masks:
        _write(path / f"{split}-annotations-object-segmentation.csv", _MASKS, masks)
    described = [(c.name, c.label) for c in source.label_map]
    _write(path / "class-descriptions-boxable.csv", (), described)
    return written


def _box_rows(image_id: str, sample: Sample, label_map: LabelMap) -> _Rows:
    groups = sample.get("group_of", np.zeros(len(sample["boxes"]), bool))
    rows: _Rows = []
    for box, index, group in zip(
        sample["boxes"], sample["classes"], groups, strict=True
    ):
        y_min, x_min, y_max, x_max = map(_number, box)
        name = label_map.by_id[int(index) + 1].name
        flags = (_UNKNOWN, _UNKNOWN, int(group), _UNKNOWN, _UNKNOWN)
        rows.append((image_id, "xclick", name, 1, x_min, x_max, y_min, y_max, *flags))
    return rows


def _label_rows(image_id: str, sample: Sample, label_map: LabelMap) -> _Rows:
    """Returns a row per annotated class: 1 if it is present, 0 if it is absent."""
    present = set(sample["classes"].tolist())
    every = [c.index for c in label_map]
    labeled = np.asarray(sample.get(LABELED_CLASSES, every)).tolist()
    return [
        (image_id, "verification", label_map.by_id[i + 1].name, int(i in present))
        for i in sorted({*labeled, *present})
    ]


def _mask_rows(
    image_id: str, sample: Sample, label_map: LabelMap, folder: Path
) -> _Rows:
    """Writes the masks of an image; returns their rows."""
    rows: _Rows = []
    for i, mask in enumerate(sample["masks"]):
        if not mask.any():
            continue
        label = label_map.by_id[int(sample["classes"][i]) + 1].name
        box_id = f"{i:08x}"
        name = f"{image_id}_{_plain(label)}_{box_id}.png"
        write_bytes(folder / name, encode_png_mask(mask))
        y_min, x_min, y_max, x_max = map(_number, sample["boxes"][i])
        sides = (x_min, x_max, y_min, y_max)
        rows.append((name, image_id, label, box_id, *sides, 1, ""))
    return rows


def _plain(label: str) -> str:
    """Returns a label name as part of a file name: `/m/011k07` as `m011k07`."""
    return "".join(c if c.isalnum() or c in "-_" else "" for c in label)[:50]


def _number(value: float) -> str:
    return f"{value:.9g}"


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows] if header else rows)
    write_text(file, text.getvalue())
