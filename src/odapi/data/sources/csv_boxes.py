"""CSV files with one box per row, as tutorials and Roboflow write them."""

import math
import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from odapi.data.clean import same_shape
from odapi.data.numbers import is_whole, natural_key
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw, Size
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.csv_columns import Row, read_rows
from odapi.data.sources.entries import ImageEntries
from odapi.data.sources.files import FileSource, ImageFinder
from odapi.data.sources.split_names import (
    files_of_split,
    neither_file_nor_folder,
    some_files,
)
from odapi.errors import DataError
from odapi.files import read_text
from odapi.labels import LabelMap, label_map_of

Path = pathlib.Path

# No box in pixels ends before this; normalized boxes may exceed 1 a little.
_MAX_NORMALIZED = 2.0


def open_csv(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
) -> FileSource:
    """Opens a CSV file with one box per row.

    Args:
        path: The file, or a folder that contains it, such as Roboflow's `train`.
        label_map: The classes; None numbers the names in the file in alphabetical
            order.
        images: Folder of the images; None searches beside the file and in folders
            named `images`, or like the file.
        split: Selects the file of a folder with this in its name, or in the name of
            its folder.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.

    Returns:
        The source; images in the order of their first rows.

    Raises:
        DataError: It is no such file, a class is unknown, or images are missing.
    """
    file = _csv_file(Path(path), split)
    problems = Problems()
    per_image = _by_image(read_rows(read_text(file), str(file)), problems)
    rows = [row for found in per_image.values() for row in found]
    if label_map is None:
        names = sorted({row.label for row in rows} - {""}, key=natural_key)
        label_map = label_map_of(names, f"class names in {file}")
    index = ClassIndex(label_map, str(file), problems, drop_unknown)
    in_pixels = not _is_normalized(rows)
    finder = ImageFinder(_folders(file, images))
    entries = ImageEntries(str(file), finder, problems)
    for name, found in per_image.items():
        image = entries.find(name)
        if image is not None:
            entries.add(image, _raw(name, image.name, found, index, in_pixels))
    return entries.source(label_map, index, skip_missing)


def _csv_file(path: Path, split: str | None) -> Path:
    """Returns the file of a path.

    Raises:
        DataError: There is no such file, or a folder has several.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise neither_file_nor_folder(path)
    files = files_of_split(path, ".csv", split or "")
    if len(files) == 1:
        return files[0]
    named = f" with {split!r} in its name" if split else ""
    found = f"has several: {', '.join(f.name for f in files)}" if files else "has no"
    there = "" if files else some_files(path, ".csv")
    raise DataError(
        str(path),
        f"{found} CSV file{named}" + (f"; there are {there}" if there else ""),
        hint="name the file, csv:FILE.csv, or add ?split=train",
    )


def _by_image(rows: Iterable[Row], problems: Problems) -> dict[str, list[Row]]:
    """Returns the sound rows per image."""
    per_image: dict[str, list[Row]] = {}
    seen = set()
    for row in rows:
        where = f"line {row.line}"
        if row.is_too_long:
            problems.found("malformed row", where)
            continue
        if not row.image:
            problems.found("annotation without image", where)
            continue
        name = os.path.normpath(row.image.replace("\\", "/")).replace("\\", "/")
        objects = per_image.setdefault(name, [])
        if row.box is None:
            if row.label:
                problems.found("image label", f"{where} ({name})")
            objects.append(row)
        elif any(math.isnan(number) for number in row.box):
            problems.found("malformed box", f"{where} ({name})")
        elif (name, row.label, row.box) in seen:
            problems.found("repeated annotation", f"{where} ({name})")
        else:
            seen.add((name, row.label, row.box))
            objects.append(row)
    return per_image


def _is_normalized(rows: Iterable[Row]) -> bool:
    """Returns whether the boxes are fractions of the image, as in Open Images."""
    numbers = [abs(n) for row in rows if row.box for n in row.box if math.isfinite(n)]
    return max(numbers, default=math.inf) < _MAX_NORMALIZED


def _raw(
    name: str, filename: str, rows: Sequence[Row], index: ClassIndex, in_pixels: bool
) -> Raw:
    size = next((row.size for row in rows if row.size), None)
    boxes, classes = [], []
    for row in rows:
        if row.box is None:
            continue
        where = f"line {row.line} ({name})"
        if not row.label:
            index.problems.found("object without class", where)
            continue
        found = _class_of(row.label, where, index)
        if found == UNKNOWN:
            continue
        classes.append(found)
        box = np.array(row.box, np.float64)
        if row.size and row.size != size:
            index.problems.found("wrong image size", f"{name}, line {row.line}")
            if in_pixels:
                box *= _scale(row.size, size)
        boxes.append(box)
    return Raw(
        image_id=name,
        filename=filename,
        size=size,
        objects={
            "boxes": np.array(boxes, np.float64).reshape(-1, 4),
            "classes": np.array(classes, np.int32),
        },
        in_pixels=in_pixels,
    )


def _class_of(label: str, where: str, index: ClassIndex) -> int:
    """Returns the index of a class by its name, or by its id if no name is equal."""
    known = index.label_map
    is_name = label in known.by_name or not is_whole(label)
    if not is_name and known.of_data_id(int(label)) is not None:
        return index.of_id(int(label), where)
    return index.of_name(label, where)


def _scale(size: Size, other: Size | None) -> np.ndarray:
    """Returns the factors of a box in an image of `size` for one of `other`."""
    if other is None or not same_shape(size, other):
        return np.ones(4)
    return np.tile(np.array(other) / np.array(size), 2)


def _folders(file: Path, images: str | Path | None) -> list[Path]:
    """Returns the folders to search for images, the most likely first."""
    if images is not None:
        given = Path(images)
        return [given] if given.is_absolute() else [file.parent / given, given]
    near = [file.parent, file.parent.parent]
    part = file.stem
    for ending in ("_labels", "_annotations", "-labels", "labels", "annotations"):
        part = part.removesuffix(ending)
    names = dict.fromkeys(("images", part, file.stem, f"images/{part}", "JPEGImages"))
    return near + [folder / name for folder in near for name in names if name]
