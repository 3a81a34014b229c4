"""Open Images CSV: boxes, image labels, masks and class descriptions."""

import array
import collections
import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from odapi.data.mask_encoding import decode_png_mask
from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf, Raw, Size
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.csv_table import read_rows, read_table
from odapi.data.sources.entries import ImageEntries
from odapi.data.sources.files import FileSource, ImageFinder, image_files, names_in
from odapi.data.sources.openimages_files import OpenImagesFiles, find_files
from odapi.fields import LABELED_CLASSES
from odapi.files import is_image_file, read_file
from odapi.labels import Category, LabelMap

Path = pathlib.Path

_SIDES = ("YMin", "XMin", "YMax", "XMax")
_MASK_SIDES = tuple(f"Box{side}" for side in _SIDES)
_SAME_BOX = 0.01  # Of the image, between the sides of a box and of its mask's box.


def open_openimages(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    load_masks: bool = True,
) -> FileSource:
    """Opens the CSV files of Open Images V4 to V7.

    Args:
        path: The file of boxes, or the folder of `train-annotations-bbox.csv`; image
            labels, masks and class descriptions are searched beside it.
        label_map: The classes; matched by label name (`/m/01g317`) or description.
            None uses the class descriptions, or else the label names in the file.
        images: Folder of the images; None searches the usual places.
        split: "train", "validation" or "test".
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        load_masks: Whether samples get masks.

    Raises:
        DataError: It is not such a dataset, a class is unknown, or images are missing.
    """
    files = find_files(Path(path), split or "", images)
    problems = Problems()
    descriptions = _descriptions(files.classes)
    rows = _boxes(files.boxes, problems)
    labels = _labels(files.labels, problems)
    if label_map is None:
        used = sorted({name for own in rows.values() for name in own.names})
        label_map = _label_map(files, descriptions, used)
    index = ClassIndex(label_map, str(files.boxes), problems, drop_unknown)
    classes = _Classes(index, descriptions)
    masks = None
    if load_masks and files.masks:
        masks = _Masks(files.masks, files.mask_folders, problems)
    finder = _IdFinder(files.image_folders)
    entries = ImageEntries(str(files.boxes), finder, problems)
    for image_id in dict.fromkeys((*rows, *labels)):
        if image_id not in rows and finder.find(image_id) is None:
            continue  # Image labels cover more images than are downloaded.
        image = entries.find(image_id)
        if image is None:
            continue
        own = rows.get(image_id) or _Rows()
        raw = _raw(image_id, image.name, own, classes, masks)
        if files.labels is not None:
            named = classes.known(labels.get(image_id, ()))
            present = raw.objects["classes"].tolist()
            found = np.array(sorted({*named, *present}), np.int32)
            raw.objects[LABELED_CLASSES] = found
        entries.add(image, raw)
    return entries.source(label_map, index, skip_missing, load_masks)


class _IdFinder(ImageFinder):
    """Finds images by their ids alone: most of two million may not be there.

    Args:
        folders: Folders to search, in order.
    """

    def __init__(self, folders: Sequence[Path]):
        super().__init__(folders)
        found = [file for f in reversed(self.folders) for file in image_files(f)]
        self._paths = {file.stem: file for file in found}

    def find(self, name: str, beside: Path | None = None) -> Path | None:
        """Returns the path of an image by its id, or its name, or None."""
        stem = os.path.splitext(name)[0] if is_image_file(name) else name
        return self._paths.get(stem)


@dataclasses.dataclass
class _Rows:
    """The boxes of one image.

    Args:
        lines: Number of each line in the file.
        names: Label name of each box.
        sides: Four numbers per box, in the order of `_SIDES`.
        groups: Whether a box is a group of objects.
    """

    lines: array.array = dataclasses.field(default_factory=lambda: array.array("q"))
    names: list[str] = dataclasses.field(default_factory=list)
    sides: array.array = dataclasses.field(default_factory=lambda: array.array("d"))
    groups: list[bool] = dataclasses.field(default_factory=list)


def _boxes(file: Path, problems: Problems) -> dict[str, _Rows]:
    """Returns the boxes per image."""
    per_image: dict[str, _Rows] = {}
    names: dict[str, str] = {}  # One text per class, not per row.
    needed = ("ImageID", "LabelName", *_SIDES)
    for line, cells in read_table(file, needed, ("IsGroupOf",)):
        where = f"line {line}"
        if cells is None:
            problems.found("malformed row", where)
            continue
        image_id, name, *sides, group = cells
        if not image_id:
            problems.found("annotation without image", where)
            continue
        rows = per_image.setdefault(image_id, _Rows())
        numbers = [number_of(side) for side in sides]
        if not name:
            problems.found("object without class", f"{where} ({image_id})")
        elif any(math.isnan(number) for number in numbers):
            problems.found("malformed box", f"{where} ({image_id})")
        else:
            rows.lines.append(line)
            rows.names.append(names.setdefault(name, name))
            rows.sides.extend(numbers)
            rows.groups.append(group == "1")
    return per_image


def _labels(file: Path | None, problems: Problems) -> dict[str, list[str]]:
    """Returns the label names that were verified in each image, present or absent."""
    per_image: dict[str, list[str]] = collections.defaultdict(list)
    if file is None:
        return per_image
    names: dict[str, str] = {}
    for line, cells in read_table(file, ("ImageID", "LabelName")):
        if cells is None or not all(cells):
            problems.found("malformed row", f"{file.name}, line {line}")
            continue
        image_id, name = cells
        per_image[image_id].append(names.setdefault(name, name))
    return per_image


def _descriptions(file: Path | None) -> dict[str, str]:
    """Returns the descriptions of label names, such as "Tortoise" of `/m/011k07`."""
    if file is None:
        return {}
    rows = [cells for _, cells in read_rows(file) if len(cells) > 1]
    if rows and rows[0][0].lower() == "labelname":  # V7 names the columns.
        del rows[0]
    return {name: text for name, text, *_ in rows}


def _label_map(
    files: OpenImagesFiles, descriptions: dict[str, str], used: Iterable[str]
) -> LabelMap:
    """Returns the described classes, or those used if all 20 000 are described."""
    boxable = files.classes is not None and "boxable" in files.classes.name
    named = [n for n in descriptions if n] if boxable else []
    names = list(dict.fromkeys((*named, *used)))
    categories = tuple(
        Category(number, name, descriptions.get(name, ""))
        for number, name in enumerate(names, 1)
    )
    return LabelMap(categories, f"label names in {files.classes or files.boxes}")


class _Classes:
    """Looks up label names, by themselves or by their descriptions."""

    def __init__(self, index: ClassIndex, descriptions: dict[str, str]):
        self.index = index
        self._descriptions = descriptions

    def of(self, name: str, where: str) -> int:
        """Returns the index of a class, or `UNKNOWN`."""
        known = self.index.label_map.by_name
        description = self._descriptions.get(name, "")
        wanted = description if name not in known and description in known else name
        return self.index.of_name(wanted, where)

    def known(self, names: Iterable[str]) -> list[int]:
        """Returns the indices of the names that the label map has."""
        known = self.index.label_map.by_name
        both = ((name, self._descriptions.get(name, "")) for name in names)
        found = (known.get(name) or known.get(text) for name, text in both)
        return [category.index for category in found if category is not None]


class _Masks:
    """Mask files by image and label name.

    Args:
        file: The CSV file of masks.
        folders: The folders of mask files.
        problems: Counts rows that cannot be used.
    """

    def __init__(self, file: Path, folders: Sequence[Path], problems: Problems):
        self.problems = problems
        self._folders = folders
        self._rows: dict[str, list[tuple[str, np.ndarray, str]]]
        self._rows = collections.defaultdict(list)
        needed = ("MaskPath", "ImageID", "LabelName", *_MASK_SIDES)
        for line, cells in read_table(file, needed):
            if cells is None or not all(cells[:3]):
                problems.found("malformed row", f"{file.name}, line {line}")
                continue
            name, image_id, label, *sides = cells
            box = np.array([number_of(side) for side in sides])
            self._rows[image_id].append((label, box, name))

    def take(self, image_id: str, label: str, box: np.ndarray) -> MaskOf | None:
        """Returns the decoder of the mask of a box, which no other box gets."""
        rows = self._rows.get(image_id, [])
        for number, (own, other, name) in enumerate(rows):
            if own == label and np.abs(other - box).max() <= _SAME_BOX:
                del rows[number]
                return functools.partial(_decode, name, self._folders)
        return None

    def count_rest(self, image_id: str) -> None:
        """Counts the masks of an image that no box has taken."""
        for _, _, name in self._rows.pop(image_id, []):
            self.problems.found("mask without a box", f"{image_id} ({name})")


def _decode(name: str, folders: Iterable[Path], size: Size) -> np.ndarray:
    for folder in folders:
        if name in names_in(folder):
            try:
                return decode_png_mask(read_file(folder / name))
            except OSError as error:
                raise ValueError(str(error)) from error
    raise ValueError(f"no mask {name}")


def _raw(
    image_id: str, filename: str, rows: _Rows, classes: _Classes, masks: _Masks | None
) -> Raw:
    boxes, found, groups, decoders = [], [], [], []
    sides = np.array(rows.sides, np.float64).reshape(-1, 4)
    for line, name, box, group in zip(
        rows.lines, rows.names, sides, rows.groups, strict=True
    ):
        decode = masks.take(image_id, name, box) if masks else None
        index = classes.of(name, f"line {line} ({image_id})")
        if index == UNKNOWN:
            continue
        boxes.append(box)
        found.append(index)
        groups.append(group)
        decoders.append(decode)
    if masks:
        masks.count_rest(image_id)
    return Raw(
        image_id=image_id,
        filename=filename,
        size=None,
        objects={
            "boxes": np.array(boxes, np.float64).reshape(-1, 4),
            "classes": np.array(found, np.int32),
            "group_of": np.array(groups, bool),
        },
        in_pixels=False,
        mask_of=decoders if masks else None,
    )
