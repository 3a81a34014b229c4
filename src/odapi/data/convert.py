"""Conversion between dataset formats; images are copied unchanged."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from odapi.data.formats.ava_writer import write_ava
from odapi.data.formats.coco_writer import coco_file, write_coco, write_coco_part
from odapi.data.formats.csv_writer import csv_file, write_csv
from odapi.data.formats.cvat_writer import write_cvat
from odapi.data.formats.kitti_writer import write_kitti
from odapi.data.formats.labelme_writer import write_labelme
from odapi.data.formats.openimages_writer import write_openimages
from odapi.data.formats.pets_writer import write_pets
from odapi.data.formats.tfrecord_writer import (
    shard_paths,
    write_records_of,
    write_tfrecord,
)
from odapi.data.formats.voc_writer import write_voc
from odapi.data.formats.writer import COPY, IMAGES, REFER, Written
from odapi.data.formats.yolo_writer import LINES, write_yolo
from odapi.data.sources.base import BaseSource
from odapi.data.sources.coco import CocoSource
from odapi.data.sources.tfrecord import TFRecordSource
from odapi.errors import DataError, unknown_choice
from odapi.outputs.file import check_new_file
from odapi.outputs.folder import OutputFolder, check_folder
from odapi.outputs.kinds import DATASET
from odapi.runtime.cpus import num_cpus

Path = pathlib.Path

# Formats with one file of annotations, and the suffix by which a path means it.
_FILES = {"coco": ".json", "csv": ".csv", "lvis": ".json"}
# Formats whose splits lie in one folder; `split` of a spec chooses one.
_WITH_SPLITS = ("ava", "kitti", "openimages", "pets", "voc", "yolo")
# Formats whose images must lie in the dataset, and why.
_OWN_IMAGES = {
    "ava": "AVA finds frames by their names in a folder",
    "kitti": "KITTI finds images by their names in image_2",
    "openimages": "Open Images finds images by their names in a folder",
    "pets": "the names of the images have their classes",
    "yolo": "YOLO labels lie beside copies of the images",
}


@dataclasses.dataclass(frozen=True)
class Target:
    """Destination and format of a dataset to write.

    Args:
        kind: One of `FORMATS`.
        path: A folder; for "coco", "lvis" and "csv" also the file of annotations,
            for "tfrecord" a file.
        images: Handling of image files: "copy", "link" or "refer".
        shards: Number of files of a "tfrecord".
        split: Name of the split in "voc" and "yolo".
        lines: Content of the txt files of "yolo": "boxes", "polygons" or "keypoints";
            "" chooses by the dataset.
        workers: Maximum number of processes that make a "tfrecord"; 0 means one per
            CPU core.
    """

    kind: str
    path: Path
    images: str = COPY
    shards: int = 1
    split: str = "train"
    lines: str = ""
    workers: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FORMATS:
            raise unknown_choice("--to", self.kind, FORMATS, DataError)
        if self.images not in IMAGES:
            raise unknown_choice("--images", self.images, IMAGES, DataError)
        if self.shards != 1 and self.kind != "tfrecord":
            raise DataError("--shards", f"is for --to tfrecord, got --to {self.kind}")
        if self.workers and self.kind != "tfrecord":
            raise DataError("--workers", f"is for --to tfrecord, got --to {self.kind}")
        if self.images != COPY and self.kind == "tfrecord":
            raise DataError("--images", "TFRecord files contain the images: copy only")
        if self.kind in _OWN_IMAGES and self.images == REFER:
            hint = "use --images copy or --images link"
            raise DataError("--images", _OWN_IMAGES[self.kind], hint=hint)
        if self.lines and self.kind != "yolo":
            raise DataError("--lines", f"is for --to yolo, got --to {self.kind}")
        if self.lines and self.lines not in LINES:
            raise unknown_choice("--lines", self.lines, LINES, DataError)

    @property
    def is_file(self) -> bool:
        """True for a file, whose folder may exist; False for a new folder."""
        if self.kind in _FILES:
            return self.path.suffix == _FILES[self.kind]
        return self.kind == "tfrecord"

    @property
    def folder(self) -> Path:
        """The folder of the dataset and its label map."""
        return self.path.parent if self.is_file else self.path

    def check(self) -> None:
        """Checks the destination, before any data is read.

        Raises:
            OutputError: A file exists already, the folder has files, or they cannot
                be written.
        """
        if not self.is_file:
            check_folder(self.path, DATASET)
        for file in _files(self):
            check_new_file(file)


@contextlib.contextmanager
def new_dataset(folder: Path) -> Iterator[None]:
    """Marks a folder as a dataset of odapi, which is complete when the block ends.

    Raises:
        OutputError: The folder has files, or cannot be written.
    """
    output = OutputFolder(folder, DATASET)
    output.begin()
    yield
    output.finish(())


def convert(
    source: BaseSource, target: Target, indices: Iterable[int] | None = None
) -> Written:
    """Writes a dataset in another format.

    Boxes are written after cleaning. Problems of the data are counted in
    `source.problems`, values that the format cannot store in `losses` of the result.

    Args:
        source: The dataset.
        target: Destination and format.
        indices: The samples to write; None means all.

    Raises:
        OutputError: A file of annotations or records exists already: it may be the
            one that is read.
    """
    for file in _files(target):
        check_new_file(file)
    chosen: Iterable[int] = range(len(source)) if indices is None else indices
    return _WRITERS[target.kind](source, target, chosen)


def _ava(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_ava(source, target.path, indices, target.images, target.split)


def _coco(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    is_lvis = target.kind == "lvis"
    return write_coco(source, target.path, indices, target.images, is_lvis)


def _csv(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_csv(source, target.path, indices, target.images)


def _cvat(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_cvat(source, target.path, indices, target.images)


def _kitti(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_kitti(source, target.path, indices, target.images, target.split)


def _labelme(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_labelme(source, target.path, indices, target.images)


def _openimages(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    place = (target.path, indices, target.images, target.split)
    return write_openimages(source, *place)


def _pets(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_pets(source, target.path, indices, target.images, target.split)


def _tfrecord(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    workers = target.workers or num_cpus()
    return write_tfrecord(source, target.path, indices, target.shards, workers)


def _voc(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    return write_voc(source, target.path, indices, target.images, target.split)


def _yolo(source: BaseSource, target: Target, indices: Iterable[int]) -> Written:
    place = (target.path, indices, target.images, target.split)
    return write_yolo(source, *place, target.lines)


_WRITERS: dict[str, Callable[[BaseSource, Target, Iterable[int]], Written]] = {
    "ava": _ava,
    "coco": _coco,
    "csv": _csv,
    "cvat": _cvat,
    "kitti": _kitti,
    "labelme": _labelme,
    "lvis": _coco,
    "openimages": _openimages,
    "pets": _pets,
    "tfrecord": _tfrecord,
    "voc": _voc,
    "yolo": _yolo,
}
FORMATS = tuple(_WRITERS)


def _files(target: Target) -> list[Path]:
    """Returns the files that a dataset consists of, besides those in new folders."""
    if target.kind == "tfrecord":
        return shard_paths(target.path, target.shards)
    if target.kind in ("coco", "lvis"):
        return [coco_file(target.path)]
    if target.kind == "csv":
        return [csv_file(target.path)]
    return []


def write_split(
    source: BaseSource, parts: Mapping[str, Iterable[int]], target: Target
) -> dict[str, Written]:
    """Writes the splits of a dataset into one folder.

    If the format stays COCO or TFRecord, annotations are copied unchanged.

    Args:
        source: The dataset that was split.
        parts: Indices by the name of the split.
        target: The folder and the format; its `split` is ignored.

    Returns:
        The results by the name of the split.
    """
    written = {}
    for name, indices in parts.items():
        part = dataclasses.replace(target, split=name)
        if target.kind in _FILES:
            file = target.path / f"{name}{_FILES[target.kind]}"
            part = dataclasses.replace(part, path=file)
        elif target.kind == "tfrecord":
            part = dataclasses.replace(part, path=target.path / f"{name}.record")
        elif target.kind not in _WITH_SPLITS:
            part = dataclasses.replace(part, path=target.path / name)
        if target.kind == "coco" and isinstance(source, CocoSource):
            written[name] = write_coco_part(source, part.path, indices, part.images)
        elif target.kind == "tfrecord" and isinstance(source, TFRecordSource):
            written[name] = write_records_of(source, part.path, indices, part.shards)
        else:
            written[name] = convert(source, part, indices)
    return written


def spec_of(target: Target, written: Written) -> str:
    """Returns the spec that opens a written dataset."""
    options = f"?split={target.split}" if target.kind in _WITH_SPLITS else ""
    return f"{target.kind}:{written.path}{options}"
