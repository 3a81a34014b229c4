"""Common parts of the writers: image files, and counts of lost values."""

import dataclasses
import os
import pathlib
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

from odapi.data.problems import Problems
from odapi.data.sample import Sample
from odapi.data.sources.base import ADDITIONAL, BaseSource
from odapi.errors import DataError
from odapi.fields import LABELED_CLASSES, NOT_EXHAUSTIVE
from odapi.files import shortened, write_bytes

Path = pathlib.Path

LOST = "lost"

COPY, LINK, REFER = "copy", "link", "refer"
IMAGES = (COPY, LINK, REFER)

# Optional keys that not every format has a place for: those of the whole image, and
# fields of objects.
_OF_IMAGE = (LABELED_CLASSES, NOT_EXHAUSTIVE)
_OPTIONAL = (
    "masks", "keypoints", "area", "is_crowd", "difficult", "group_of", "weights",
    "confidences", "multiclass_scores", "track_ids", "densepose_num_points",
    "track_match_flags", *_OF_IMAGE,
)  # fmt: skip

_SUFFIXES = {"jpeg": ".jpg", "tiff": ".tif"}


@dataclasses.dataclass
class Written:
    """Result of a writer.

    Args:
        path: The path for a spec.
        count: Number of images.
        objects: Number of objects.
        losses: Values that the format cannot store, by kind.
        stores_channels: Whether the format stores additional channels that are image
            files of their own.
    """

    path: Path
    count: int = 0
    objects: int = 0
    losses: Problems = dataclasses.field(default_factory=Problems)
    stores_channels: bool = False
    _counted: set[str] = dataclasses.field(default_factory=set)

    def lose_except(self, sample: Sample, stored: Collection[str] = ()) -> None:
        """Counts the values of all optional keys but those that the format stores."""
        self.lose(sample, [key for key in _OPTIONAL if key not in stored])

    def lose(self, sample: Sample, keys: Iterable[str]) -> None:
        """Counts the values of `keys` that the format cannot store.

        Args:
            sample: The sample.
            keys: Fields of objects, and keys of the whole image.
        """
        image_id = sample["image_id"]
        apart = ADDITIONAL in sample and not self.stores_channels
        if apart and image_id not in self._counted:
            self._counted.add(image_id)
            self.losses.add("additional channels", LOST, image_id)
        for key in keys:
            if key in _OF_IMAGE:
                if key in sample and (key == LABELED_CLASSES or len(sample[key])):
                    self.losses.add(key, LOST, sample["image_id"])
                continue
            for i in _informative(sample, key):
                where = f"{sample['image_id']}, object {i + 1}"
                self.losses.add(key, LOST, where)


def _informative(sample: Sample, key: str) -> list[int]:
    """Returns the objects whose value of a key differs from its default."""
    if key not in sample or not len(sample[key]):
        return []
    if key == "masks":  # One at a time.
        return [i for i, mask in enumerate(sample[key]) if mask.any()]
    values = np.asarray(sample[key])
    if key in _FLAGS:
        informative = values.reshape(len(values), -1) != 0
    elif key == "keypoints":
        informative = np.isfinite(values).reshape(len(values), -1)
    elif key == "area":
        box = in_pixels(sample)
        area = (box[:, 2:] - box[:, :2]).prod(1)
        informative = np.abs(values - area)[:, None] > 0.01 * area[:, None]
    else:
        informative = (values != _ABSENT.get(key)).reshape(len(values), -1)
    return np.flatnonzero(informative.any(1)).tolist()


_FLAGS = (
    "is_crowd", "difficult", "group_of", "keypoint_visibility",
    "densepose_num_points", "track_match_flags",
)  # fmt: skip
_ABSENT = {"weights": 1, "confidences": 1, "track_ids": -1}


def samples(source: BaseSource, indices: Iterable[int]) -> Iterator[tuple[int, Sample]]:
    """Yields index and sample with encoded image; skips unusable images.

    They are counted in the problems of the source.
    """
    for index in indices:
        try:
            yield index, source.encoded_sample(index)
        except DataError:
            continue


class ImageFiles:
    """Places the image files of a new dataset, with unique names.

    Args:
        folder: Destination.
        how: `COPY` the bytes, `LINK` (hard links if possible), or `REFER` to the
            original files, for sources with image files only.
    """

    def __init__(self, folder: Path, how: str = COPY):
        if how not in IMAGES:
            raise ValueError(f"images can be {', '.join(IMAGES)}, got {how!r}")
        self.folder = folder
        self.how = how
        self._taken: set[str] = set()
        if how != REFER:
            folder.mkdir(parents=True, exist_ok=True)
            self._taken = {p.stem.lower() for p in folder.iterdir()}

    def put(self, source: Any, index: int, sample: Sample) -> Path:
        """Places the image of a sample and returns its path."""
        origin = source.image_path(index)
        if self.how == REFER:
            if origin is None:
                raise DataError(
                    source.name,
                    "its images are not files and cannot be referred to",
                    hint="copy them: --images copy",
                )
            return origin.resolve()
        path = self.folder / self._name(sample)
        if self.how == LINK and origin is not None:
            _link(origin.resolve(), path)
        elif origin is not None:
            shutil.copyfile(origin, path)
        else:
            write_bytes(path, sample["encoded"])
        return path

    def _name(self, sample: Sample) -> str:
        """Returns an unused file name, as close to the old one as possible."""
        old = Path(str(sample.get("filename") or sample["image_id"]).replace("\\", "/"))
        kind = sample["header"].format
        suffix = _SUFFIXES.get(kind, f".{kind}" if kind else old.suffix)
        if old.suffix.lower() in _same(suffix):
            suffix = old.suffix
            stem = old.stem
        else:  # Without a suffix, or with a wrong one, the bytes decide.
            stem = old.stem if len(old.suffix) in (4, 5) else old.name
        stem = shortened(_UNSAFE.sub("_", stem)) or "image"
        name, count = f"{stem}{suffix}", 1
        # Annotations are named after images, hence unique stems.
        while Path(name).stem.lower() in self._taken:
            count += 1
            name = f"{stem}_{count}{suffix}"
        self._taken.add(Path(name).stem.lower())
        return name


# Windows' drives, line ends in lists, hidden files, and names that are not UTF-8.
_UNSAFE = re.compile(r"^\.|[\x00-\x1f:\ud800-\udfff]")


def _same(suffix: str) -> tuple[str, ...]:
    same = {".jpg": (".jpg", ".jpeg", ".jpe", ".jfif"), ".tif": (".tif", ".tiff")}
    return same.get(suffix, (suffix,))


def _link(origin: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        os.link(origin, path)
    except OSError:  # Another disk, or a file system without links.
        shutil.copyfile(origin, path)


def in_pixels(sample: Sample) -> np.ndarray:
    """Returns the boxes `[n, 4]` float64 in pixels.

    Rounded to 0.01, beyond which float32 is inexact.
    """
    size = np.array(sample["size"], np.float64)
    boxes = sample["boxes"].astype(np.float64) * np.tile(size, 2)
    return np.round(boxes, 2)
