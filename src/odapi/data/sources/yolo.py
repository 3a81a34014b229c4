"""YOLO: one text file per image, one line per object, in the layout of Ultralytics."""

import pathlib

import numpy as np

from odapi.data.keypoint_slots import NO_SLOT, KeypointSlots, placed
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.files import (
    FileSource,
    ImageFinder,
    check_missing,
    image_files,
    unique_id,
)
from odapi.data.sources.yolo_folders import Layout, name_folders, read_layout
from odapi.data.sources.yolo_keypoints import with_keypoints
from odapi.data.sources.yolo_labels import (
    LabelFiles,
    class_number,
    highest_class,
    label_lines,
)
from odapi.data.sources.yolo_lines import KeypointGuess, LineReader, Row
from odapi.data.sources.yolo_names import names_beside
from odapi.errors import DataError
from odapi.labels import LabelMap, label_map_of
from odapi.wording import counted

Path = pathlib.Path


def open_yolo(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    polygons: bool = False,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    load_masks: bool = True,
) -> FileSource:
    """Opens a YOLO dataset: boxes, polygons or keypoints in txt files.

    An image with an empty txt file has no objects. An image without a txt file has
    none either, and is counted, unless no image has one.

    Args:
        path: A `data.yaml`, a Darknet `obj.data`, or a folder with one, or a folder
            with `images` and `labels`, or one that contains images and txt files.
        label_map: The classes, matched by name if the dataset has names, else by
            number. None uses the names in the yaml or in `classes.txt`.
        images: Folder of the images; None follows the layout.
        split: "train", "val", "test", another split of the yaml or the name of a
            folder; None reads all.
        polygons: Whether lines are polygons even if they look like keypoints.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        load_masks: Whether samples get masks if lines are polygons.

    Returns:
        The source; images sorted by name.

    Raises:
        DataError: There are no images or label files or no such split, a class is
            unknown, a file is malformed, or lines look like keypoints without
            `kpt_shape`.
    """
    layout = read_layout(Path(path), split, Path(images) if images else None)
    problems = Problems()
    for place in layout.missing:
        problems.found("missing split", place)
    files = _images(layout, problems, skip_missing)
    labels = LabelFiles(layout.root, files)
    labels.check_found(layout.name)
    names = _names(layout, labels)
    if not names:
        problems.found("classes without names", layout.name)
    if label_map is None:
        label_map = _label_map(layout, names, labels)
    index = ClassIndex(label_map, layout.name, problems, drop_unknown)
    reader = _Reader(layout, labels, names, index)
    taken: set[str] = set()
    raws = [reader.raw(f, unique_id(f.stem, taken, problems)) for f in files]
    entries = [(r, f) for r, f in zip(raws, files, strict=True) if r is not None]
    if layout.keypoints is None and not (polygons or layout.are_polygons):
        reader.guess.check(layout.name)
    index.check()
    _count_unused(layout, labels, problems)
    return FileSource(layout.name, label_map, entries, problems, None, load_masks)


def _images(layout: Layout, problems: Problems, skip_missing: bool) -> list[Path]:
    """Returns the existing images of a dataset; counts the missing ones."""
    found = [p for p in layout.listed if p.is_file()]
    missing = [str(p) for p in layout.listed if not p.is_file()]
    for name in missing:
        problems.found("missing image", name)
    files = [p for folder in layout.folders for p in image_files(folder)] + found
    if not files and not missing:
        folders = ", ".join(str(f) for f in layout.folders)
        raise DataError(
            layout.name,
            f"has no images in {folders}" if folders else "has no images",
            hint="give the folder: ?images=DIR",
        )
    total = len(missing) + len(files)
    check_missing(layout.name, missing, total, ImageFinder([layout.root]), skip_missing)
    return list(dict.fromkeys(files))


def _names(layout: Layout, labels: LabelFiles) -> list[str]:
    """Returns the class names of a description file, or of files such as classes.txt.

    Raises:
        DataError: Two files differ, or one is malformed.
    """
    if layout.names:
        return list(layout.names)
    for folders in name_folders(layout, sorted(labels.used())):
        if names := names_beside(folders):
            return names
    return []


def _label_map(layout: Layout, names: list[str], labels: LabelFiles) -> LabelMap:
    """Returns the classes of the dataset; those without names are numbered."""
    if not names:
        highest = highest_class(labels.used().union(labels.all()))
        count = max(highest + 1, layout.num_classes)
        names = [f"class {i}" for i in range(count)]
    label_map = label_map_of(names, f"class names in {layout.name}")
    if layout.keypoints is None:
        return label_map
    return with_keypoints(label_map, layout.keypoints)


def _count_unused(layout: Layout, labels: LabelFiles, problems: Problems) -> None:
    """Counts label files without an image; lists and splits name some images only."""
    if layout.listed:
        return
    alone = labels.without_file()
    for number, file in enumerate(labels.without_image()):
        own = f"; {alone[0].name} has no label file" if alone and not number else ""
        problems.found("missing image", f"of {file.name}{own}")
    for file in labels.elsewhere() if layout.is_whole else ():
        problems.found("unused label file", str(file))


class _Reader:
    """Converts label files to arrays."""

    def __init__(
        self,
        layout: Layout,
        labels: LabelFiles,
        names: list[str],
        index: ClassIndex,
    ):
        self.layout = layout
        self.labels = labels
        self.names = names
        self.index = index
        self.problems = index.problems
        self.lines = LineReader(layout.keypoints, index.problems)
        self.guess = KeypointGuess()
        self.slots = KeypointSlots(index.label_map, index.problems)

    def raw(self, image: Path, image_id: str) -> Raw | None:
        """Returns the annotations of one image; None if they are unreadable."""
        file = self.labels.of(image)
        if file is None:
            self.problems.found("image without a label file", image.name)
        try:
            lines = label_lines(file) if file else []
        except DataError as error:
            hint = f"; {error.hint}" if error.hint else ""
            where = f"{error.place} ({error.problem}{hint})"
            self.problems.found("unreadable annotation", where)
            return None
        rows: list[tuple[int, Row]] = []
        places: list[list[int]] = []
        seen: set[str] = set()
        for number, line in enumerate(lines, 1):
            where = f"{file.name if file else image_id}, line {number}"
            if line in seen:
                self.problems.found("repeated annotation", where)
                continue
            seen.add(line)
            row = self._row(line, where)
            if row is not None:
                rows.append(row[:2])
                places.append(row[2])
        mask_of = [row.mask_of for _, row in rows]
        return Raw(
            image_id=image_id,
            filename=image.name,
            size=None,
            objects=self._objects(rows, places),
            in_pixels=False,
            mask_of=mask_of if any(mask_of) else None,
        )

    def _row(self, line: str, where: str) -> tuple[int, Row, list[int]] | None:
        """Returns class index, object and the slots of its keypoints."""
        number, texts = class_number(line), line.split()[1:]
        if number is None:
            reason = f"{line.split()[0]!r} is no class number"
            self.problems.found("malformed box", f"{where} ({reason})")
            return None
        self.guess.add(texts, where)
        row = self.lines.read(texts, where)
        if row is None:
            return None
        index = self._class(number, where)
        if index == UNKNOWN:
            return None
        return index, row, self._slots(row, number, index, where)

    def _slots(self, row: Row, number: int, index: int, where: str) -> list[int]:
        shape = self.layout.keypoints
        if shape is None:
            return []
        if row.points is None:
            return [NO_SLOT] * shape.count
        names = shape.names_of(number)
        if names is not None and row.points[len(names) :, 2].any():
            reason = f"kpt_names of class {number} has {counted(len(names), 'name')}"
            self.problems.found("malformed keypoints", f"{where} ({reason})")
        if names is not None and not names:
            return [NO_SLOT] * shape.count
        return self.slots.of_object(index, names or (), shape.count, where)

    def _class(self, number: int, where: str) -> int:
        if number < 0:
            self.problems.found("object without class", where)
            return UNKNOWN
        if number < len(self.names):
            return self.index.of_name(self.names[number], where)
        shown = f"number {number}, counted from 0"
        return self.index.of_id(number + 1, where, shown=shown)

    def _objects(
        self, rows: list[tuple[int, Row]], places: list[list[int]]
    ) -> dict[str, np.ndarray]:
        objects: dict[str, np.ndarray] = {
            "boxes": np.array([r.box for _, r in rows], np.float64).reshape(-1, 4),
            "classes": np.array([index for index, _ in rows], np.int32),
        }
        shape = self.layout.keypoints
        if shape is None:
            return objects
        points = np.zeros((len(rows), shape.count, 3))
        for target, (_, row) in zip(points, rows, strict=True):
            if row.points is not None:
                target[...] = row.points
        objects["keypoints"] = points[..., 1::-1].copy()
        objects["keypoint_visibility"] = points[..., 2].copy()
        slots = np.array(places, np.int32).reshape(-1, shape.count)
        return placed(objects, slots, self.slots.total or shape.count)
