"""YOLO: one text file per image, one line per object, in the layout of Ultralytics."""

import functools
import pathlib
from typing import Any

import numpy as np

from odapi.data.mask_encoding import decode_segmentation
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf, Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.files import (
    FileSource,
    ImageFinder,
    check_missing,
    image_files,
    unique_id,
)
from odapi.data.sources.yolo_folders import Layout, read_layout
from odapi.errors import DataError
from odapi.labels import LabelMap, label_map_of

Path = pathlib.Path


def open_yolo(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    load_masks: bool = True,
) -> FileSource:
    """Opens a YOLO dataset: boxes, polygons or keypoints in txt files.

    An image without a txt file, or with an empty one, has no objects.

    Args:
        path: A `data.yaml`, or a folder with one, or a folder with `images` and
            `labels`, or one that contains images and txt files.
        label_map: The classes, matched by name if the dataset has names, else by
            number. None uses the names in the yaml or in `classes.txt`.
        images: Folder of the images; None follows the layout.
        split: "train", "val", "test" or the name of a folder; None reads all.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        load_masks: Whether samples get masks if lines are polygons.

    Returns:
        The source; images sorted by name.

    Raises:
        DataError: There are no images or no such split, or a class is unknown.
    """
    layout = read_layout(Path(path), split, Path(images) if images else None)
    problems = Problems()
    finder = ImageFinder([layout.root])
    missing = [str(p) for p in layout.listed if not p.is_file()]
    for name in missing:
        problems.found("missing image", name)
    files = [p for folder in layout.folders for p in image_files(folder)]
    files += [p for p in layout.listed if p.is_file()]
    if not files and not missing:
        folders = ", ".join(str(f) for f in layout.folders)
        raise DataError(
            layout.name,
            f"has no images in {folders}",
            hint="give the folder: ?images=DIR",
        )
    reader = _Reader(layout, label_map, problems, drop_unknown)
    taken: set[str] = set()
    raws = [reader.raw(f, unique_id(f.stem, taken, problems)) for f in files]
    entries = [(r, f) for r, f in zip(raws, files, strict=True) if r is not None]
    reader.index.check()
    check_missing(layout.name, missing, len(missing) + len(files), finder, skip_missing)
    # A list may name some of the images; only a folder is complete.
    for file in [] if layout.listed else layout.labels_without(files):
        problems.found("missing image", f"of {file.name}")
    map_of = reader.index.label_map
    return FileSource(layout.name, map_of, entries, problems, None, load_masks)


class _Reader:
    """Converts txt files to arrays."""

    def __init__(
        self,
        layout: Layout,
        label_map: LabelMap | None,
        problems: Problems,
        drop_unknown: bool,
    ):
        self.layout = layout
        self.problems = problems
        names = layout.names
        if label_map is None:
            source = f"class names in {layout.name}"
            label_map = label_map_of(list(names) or self._numbered(), source)
        self.index = ClassIndex(label_map, layout.name, problems, drop_unknown)

    def _numbered(self) -> list[str]:
        """Returns numbered class names for a dataset without names."""
        highest = -1
        for file in self.layout.all_labels():
            for line in _lines_or_none(file):
                number = _class_number(line)
                highest = max(highest, -1 if number is None else number)
        return [f"class {i}" for i in range(highest + 1)]

    def raw(self, image: Path, image_id: str) -> Raw | None:
        """Returns the annotations of one image; None if they are unreadable."""
        rows: list[_Row] = []
        file = self.layout.label_of(image)
        seen: set[str] = set()
        try:
            lines = _lines(file) if file else []
        except (OSError, UnicodeDecodeError) as error:
            self.problems.found("unreadable annotation", f"{file} ({error})")
            return None
        for number, line in enumerate(lines, 1):
            where = f"{file.name if file else image_id}, line {number}"
            if line in seen:
                self.problems.found("repeated annotation", where)
                continue
            seen.add(line)
            row = self._row(line, where)
            if row is not None:
                rows.append(row)
        mask_of = [r.mask_of for r in rows]
        return Raw(
            image_id=image_id,
            filename=image.name,
            size=None,
            objects=self._objects(rows),
            in_pixels=False,
            mask_of=mask_of if any(mask_of) else None,
        )

    def _row(self, line: str, where: str) -> "_Row | None":
        number = _class_number(line)
        try:
            values = [float(v) for v in line.split()[1:]]
        except ValueError:
            number = None
        if number is None or not self._fits(len(values)):
            self.problems.found("malformed box", where)
            return None
        found = self._class(number, where)
        return None if found == UNKNOWN else _Row(found, values, self.layout.keypoints)

    def _fits(self, count: int) -> bool:
        if self.layout.keypoints:
            points, dimensions = self.layout.keypoints
            return count in (4, 4 + points * dimensions)
        # A box, a box with a confidence, or a polygon.
        return count in (4, 5) or (count >= 6 and count % 2 == 0)

    def _class(self, number: int, where: str) -> int:
        if number < 0:
            self.problems.found("object without class", where)
            return UNKNOWN
        names = self.layout.names
        if 0 <= number < len(names):
            return self.index.of_name(names[number], where)
        return self.index.of_id(number + 1, where)

    def _objects(self, rows: "list[_Row]") -> dict[str, np.ndarray]:
        objects: dict[str, np.ndarray] = {
            "boxes": np.array([r.box for r in rows], np.float64).reshape(-1, 4),
            "classes": np.array([r.index for r in rows], np.int32),
        }
        if self.layout.keypoints:
            count = self.layout.keypoints[0]
            points = np.array([r.points for r in rows], np.float32)
            points = points.reshape(-1, count, 3)
            yx = points[..., 1::-1].copy()
            objects |= {"keypoints": yx, "keypoint_visibility": points[..., 2].copy()}
        return objects


class _Row:
    """One line: a box, a polygon, or a box with keypoints."""

    def __init__(
        self, index: int, values: list[float], keypoints: tuple[int, int] | None
    ):
        self.index = index
        self.mask_of: MaskOf | None = None
        self.points: Any = None
        if keypoints:
            self.points = _points(values[4:], *keypoints)
        if keypoints or len(values) < 6:
            x, y, width, height = values[:4]
            self.box = (y - height / 2, x - width / 2, y + height / 2, x + width / 2)
            return
        polygon = np.reshape(values, (-1, 2))
        low, high = polygon.min(0), polygon.max(0)
        self.box = (low[1], low[0], high[1], high[0])
        self.mask_of = functools.partial(_polygon_mask, polygon)


def _polygon_mask(polygon: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    scaled = polygon * np.array(size[::-1], np.float64)
    return decode_segmentation([scaled.reshape(-1)], size)


def _points(values: list[float], count: int, dimensions: int) -> np.ndarray:
    """Returns `[k, 3]`: x, y, visibility; by default all but (0, 0) are visible."""
    points = np.zeros((count, 3), np.float32)
    if values:
        given = np.reshape(values, (count, dimensions))
        points[:, :dimensions] = given
        if dimensions == 2:
            points[:, 2] = np.where((given > 0).any(1), 2, 0)
    return points


def _class_number(line: str) -> int | None:
    try:
        number = float(line.split()[0])
    except ValueError:
        return None
    return int(number) if number == int(number) else None


def _lines_or_none(file: Path) -> list[str]:
    try:
        return _lines(file)
    except (OSError, UnicodeDecodeError):
        return []  # Counted when its image is read.


def _lines(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text("utf-8-sig").splitlines())
    return [line for line in lines if line]
