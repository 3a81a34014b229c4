"""Writes AVA actions: a CSV file, the list of actions, and frames."""

import pathlib
import re
from collections.abc import Iterable

import numpy as np

from odapi.data.formats.writer import COPY, ImageFiles, Written, samples
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.files import write_text
from odapi.labels import LabelMap

Path = pathlib.Path

# Optional fields that the format stores.
_STORED = ("track_ids",)

_FIRST_SECOND = 902  # Of the annotated part of AVA's videos.
_FRAME = re.compile(r"^(.+)_(\d{4,6})$")


def write_ava(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
) -> Written:
    """Writes samples as `ava_SPLIT_v2.2.csv`, with the images in `frames`.

    An image that is no frame of AVA (`VIDEO_0902`) is a video of its own.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link".
        split: Part of the name of the file.
    """
    files = ImageFiles(path / "frames", images)
    written = Written(path)
    taken = {file.stem.lower() for file in (path / "frames").iterdir()}
    lines: list[str] = []
    for index, sample in samples(source, indices):
        name = _frame_name(str(sample["image_id"]), taken)
        image = files.put(source, index, sample | {"filename": f"{name}.jpg"})
        video, _, second = image.stem.rpartition("_")
        lines += _lines(sample, f"{video},{second}")
        written.lose_except(sample, _STORED)
        written.count += 1
        written.objects += len(sample["boxes"])
    write_text(path / f"ava_{split}_v2.2.csv", "".join(f"{n}\n" for n in lines))
    write_text(path / "ava_action_list_v2.2.pbtxt", _actions(source.label_map))
    return written


def _frame_name(image_id: str, taken: set[str]) -> str:
    """Returns `VIDEO_SECOND`, which no other frame has."""
    stem = re.sub(r"[^\w.-]", "_", Path(image_id.replace("\\", "/")).name)
    match = _FRAME.match(stem)
    if match:
        video, second = match[1], int(match[2])
    else:
        video, second = Path(stem).stem, _FIRST_SECOND
    while f"{video}_{second:04d}".lower() in taken:
        second += 1
    taken.add(f"{video}_{second:04d}".lower())
    return f"{video}_{second:04d}"


def _lines(sample: Sample, start: str) -> list[str]:
    """Returns a line per object; of an image without objects, only its name."""
    persons = np.asarray(sample.get("track_ids", np.full(len(sample["boxes"]), -1)))
    lines = []
    for box, index, person in zip(
        sample["boxes"], sample["classes"], persons, strict=True
    ):
        y_min, x_min, y_max, x_max = (f"{side:.7g}" for side in box)
        line = f"{start},{x_min},{y_min},{x_max},{y_max},{int(index) + 1}"
        lines.append(line + (f",{person}" if (persons >= 0).any() else ""))
    return lines or [start]


def _actions(label_map: LabelMap) -> str:
    blocks = []
    for category in label_map:
        name = category.name.replace('"', "'")
        blocks.append(f'label {{\n  name: "{name}"\n  label_id: {category.id}\n}}\n')
    return "".join(blocks)
