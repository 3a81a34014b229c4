"""Writes YOLO txt: `images`, `labels` and `data.yaml`; boxes, polygons or keypoints."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
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
from odapi.data.keypoint_flips import flip_permutation
from odapi.data.mask_outline import outline
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.data.sources.yolo_yaml import format_data_yaml
from odapi.errors import DataError
from odapi.files import write_text
from odapi.labels import Category, LabelMap

Path = pathlib.Path

BOXES, POLYGONS, KEYPOINTS = "boxes", "polygons", "keypoints"
LINES = (BOXES, POLYGONS, KEYPOINTS)

_SAME_BOX = 1.0  # Pixels between the sides of a box and of its mask.


def write_yolo(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
    lines: str = "",
) -> Written:
    """Writes samples as `images/SPLIT`, `labels/SPLIT` and `data.yaml`.

    Classes are numbered from 0 without gaps, in the order of their ids.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link".
        split: Name of the split; `data.yaml` lists all splits in the folder.
        lines: "boxes", "polygons" or "keypoints": the content of the txt files. By
            default keypoints if the dataset has any, else polygons if it has masks.

    Raises:
        DataError: The dataset has no masks or keypoints to write.
    """
    lines = _kind(source, lines)
    labels = path / "labels" / split
    labels.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path / "images" / split, images)
    categories = sorted(source.label_map, key=lambda c: c.id)
    numbers = {c.index: i for i, c in enumerate(categories)}
    slots = _Slots.of(source) if lines == KEYPOINTS else None
    written = Written(path)
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        write_text(
            labels / f"{image.stem}.txt",
            "".join(_lines(sample, numbers, _rest_of_line(lines, slots, written))),
        )
        written.lose_except(sample, _STORED[lines])
        if sample["header"].orientation != 1:
            _lose_orientation(written, sample)
        written.count += 1
        written.objects += len(sample["boxes"])
    parts = [p for p in ("train", "val", "test") if (path / "images" / p).is_dir()]
    parts += [split] if split not in parts else []
    about: dict[str, Any] = {part: f"images/{part}" for part in parts}
    about["names"] = {i: c.name for i, c in enumerate(categories)}
    if lines == POLYGONS:  # A rectangle may look like a box and two keypoints.
        about["lines"] = POLYGONS
    if slots is not None:
        about |= slots.description(categories)
    write_text(path / "data.yaml", format_data_yaml(about))
    return written


# Optional fields that the lines store.
_STORED = {BOXES: (), POLYGONS: ("masks",), KEYPOINTS: ("keypoints",)}

# Returns the numbers of an object after its class.
_Numbers = Callable[[Sample, int], np.ndarray]


def _kind(source: BaseSource, lines: str) -> str:
    """Returns the content of the txt files."""
    has = {
        KEYPOINTS: "keypoints" in source.keys and source.num_keypoints > 0,
        POLYGONS: "masks" in source.keys,
        BOXES: True,
    }
    if not lines:
        return next(kind for kind, present in has.items() if present)
    if not has[lines]:
        missing = "masks" if lines == POLYGONS else lines
        others = ", ".join(kind for kind, present in has.items() if present)
        raise DataError("--lines", f"the dataset has no {missing}", f"use {others}")
    return lines


def _lose_orientation(written: Written, sample: Sample) -> None:
    """Counts an image whose boxes refer to the pixels before EXIF rotation."""
    if sample["size"] != sample["header"].shown_size:
        written.losses.add("boxes as stored", LOST, sample["image_id"])


def _lines(
    sample: Sample, numbers: dict[int, int], values_of: _Numbers
) -> Iterable[str]:
    for i, index in enumerate(sample["classes"]):
        row = " ".join(f"{v:.7g}" for v in values_of(sample, i).tolist())
        yield f"{numbers[int(index)]} {row}\n"


def _rest_of_line(lines: str, slots: "_Slots | None", written: Written) -> _Numbers:
    if lines == POLYGONS:
        return lambda sample, i: _polygon(sample, i, written)
    if slots is not None:
        return lambda sample, i: np.concatenate(
            [_box(sample, i), slots.values(sample, i)]
        )
    return _box


def _box(sample: Sample, i: int) -> np.ndarray:
    y_min, x_min, y_max, x_max = sample["boxes"][i].astype(np.float64).tolist()
    return np.array(
        [(x_min + x_max) / 2, (y_min + y_max) / 2, x_max - x_min, y_max - y_min]
    )


def _polygon(sample: Sample, i: int, written: Written) -> np.ndarray:
    """Returns the outline of the mask of an object; its box if it has none."""
    points = outline(sample["masks"][i])
    if not len(points):
        return _box(sample, i)
    y_min, x_min, y_max, x_max = in_pixels(sample)[i]
    sides = np.array([[x_min, y_min], [x_max, y_max]])
    if np.abs(sides - [points.min(0), points.max(0)]).max() > _SAME_BOX:
        where = f"{sample['image_id']}, object {i + 1}"
        written.losses.add("box other than that of its mask", LOST, where)
    height, width = sample["size"]
    return (points / [width, height]).reshape(-1)


@dataclasses.dataclass(frozen=True)
class _Slots:
    """Places of the keypoints of each class in a line.

    Args:
        label_map: The classes.
        count: Keypoints per line.
        ids: Ids of the keypoints by class index; None if the label map names none,
            and all objects have the same.
    """

    label_map: LabelMap
    count: int
    ids: dict[int, list[int]] | None

    @classmethod
    def of(cls, source: BaseSource) -> "_Slots":
        label_map = source.label_map
        if not 0 < label_map.num_keypoints <= source.num_keypoints:
            return cls(label_map, source.num_keypoints, None)
        ids = {c.index: [k.id for k in c.keypoints] for c in label_map}
        return cls(label_map, max(map(len, ids.values())), ids)

    def values(self, sample: Sample, i: int) -> np.ndarray:
        """Returns x, y and visibility of each keypoint; zeros if unlabeled."""
        points = np.zeros((self.count, 3))
        given = np.nan_to_num(sample["keypoints"][i].astype(np.float64))
        rows = np.column_stack([given[:, ::-1], sample["keypoint_visibility"][i]])
        if self.ids is not None:
            rows = rows[self.ids.get(int(sample["classes"][i]), [])]
        points[: len(rows)] = rows
        return points.reshape(-1)

    def description(self, categories: Sequence[Category]) -> dict[str, Any]:
        """Returns the entries of data.yaml."""
        about: dict[str, Any] = {"kpt_shape": [self.count, 3]}
        if self.ids is None:
            return about
        about["kpt_names"] = {
            i: [k.name for k in c.keypoints] for i, c in enumerate(categories)
        }
        flip = self._flip()
        return about | ({"flip_idx": flip} if flip else {})

    def _flip(self) -> list[int] | None:
        """Returns the order of a flip if it is known, and the same for all classes."""
        order = flip_permutation(self.label_map)
        known = any(c.flip for c in self.label_map)
        found = []
        for ids in (self.ids or {}).values():
            places = {own: n for n, own in enumerate(ids)}
            local = [places[order[own]] for own in ids]
            known = known or local != sorted(local)
            if local:
                found.append(local + list(range(len(local), self.count)))
        same = all(local == found[0] for local in found)
        return found[0] if found and known and same else None
