"""AVA actions: CSV rows of video, second, box, action and person."""

import dataclasses
import math
import pathlib
import re
from collections.abc import Iterable

import numpy as np

from odapi.data.numbers import is_whole, number_of
from odapi.data.problems import Problems
from odapi.data.sources.ava_frames import FrameFinder, is_video, read_frame
from odapi.data.sources.base import Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.csv_table import read_rows
from odapi.data.sources.files import FileSource, ImageFinder, check_missing, names_in
from odapi.data.sources.split_names import (
    files_of_split,
    neither_file_nor_folder,
    some_files,
)
from odapi.errors import DataError
from odapi.files import read_text
from odapi.labels import Category, LabelMap

Path = pathlib.Path

_EXCLUDED = "excluded_timestamps"
_LENGTHS = (2, 7, 8)  # Cells: video and second; a box and an action; and a person.
_MAX_SECOND = 10**6

# `label { name: "walk" label_id: 14 ... }`, or `item { name: "walk" id: 14 }`.
_BLOCK = re.compile(r"(?:label|item)\s*\{([^}]*)\}")
_FIELD = re.compile(r'(name|label_id|id)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(\d+))')


def open_ava(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
) -> FileSource:
    """Opens a CSV file of AVA actions.

    A person with several actions is several objects with one box, as in the original's
    tool. Rows of excluded seconds are skipped.

    Args:
        path: The file, such as `ava_train_v2.2.csv`, or its folder.
        label_map: The classes; matched by the names of the action list beside the
            file, or else by id. None uses the list.
        images: Folder of frames or videos; None searches beside the file.
        split: Selects the file of a folder with this in its name.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.

    Raises:
        DataError: It is no such file, a class is unknown, or images are missing.
    """
    file = _csv_file(Path(path), split or "")
    problems = Problems()
    frames = _frames(file, problems)
    for key in _excluded(file, frames):
        where = f"{key[0]}, second {key[1]}"
        problems.found("frame without annotations", where)
        del frames[key]
    names = _action_names(file)
    used = {row.action for rows in frames.values() for row in rows}
    if label_map is None:
        label_map = _label_map(names, used, file)
    index = ClassIndex(label_map, str(file), problems, drop_unknown)
    finder = FrameFinder(_folders(file, images))
    entries, seconds, missing = [], [], []
    for (video, second), rows in frames.items():
        found = finder.find(video, second)
        name = f"{video}_{second:04d}"
        if found is None:
            missing.append(name)
            problems.found("missing image", name)
            continue
        filename = f"{name}.jpg" if is_video(found) else found.name
        entries.append((_raw(name, filename, rows, names, index), found))
        seconds.append(second)
    index.check()
    searched = ImageFinder(finder.folders)
    total = len(missing) + len(entries)
    check_missing(str(file), missing, total, searched, skip_missing)
    source = AvaSource(str(file), label_map, entries, problems)
    source.seconds = seconds
    return source


class AvaSource(FileSource):
    """The frames of AVA. Use `open_ava`.

    Args:
        seconds: Position of each frame in its video.
    """

    seconds: list[int]

    def image_path(self, index: int) -> Path | None:
        """Returns the path of the image file; None for a frame of a video."""
        path = self.path(index)
        return None if is_video(path) else path

    def _read(self, index: int, size: int) -> bytes:
        path = self.path(index)
        if is_video(path):
            return read_frame(path, self.seconds[index])
        return super()._read(index, size)


@dataclasses.dataclass(frozen=True)
class _Row:
    """One action of a person.

    Args:
        line: In the file, from 1.
        box: Normalized top, left, bottom, right.
        action: Id of the class.
        person: Id of the person in the video, or -1.
    """

    line: int
    box: tuple[float, float, float, float]
    action: int
    person: int


_Frames = dict[tuple[str, int], list[_Row]]


def _csv_file(path: Path, split: str) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise neither_file_nor_folder(path)
    files = [f for f in files_of_split(path, ".csv", split) if _EXCLUDED not in f.name]
    if len(files) == 1:
        return files[0]
    there = "" if files else some_files(path, ".csv")
    names = ", ".join(f.name for f in files)
    found = f"has several CSV files: {names}" if files else "has no CSV file"
    raise DataError(
        str(path),
        found
        + (f" with {split!r} in its name" if split else "")
        + (f"; there are {there}" if there else ""),
        hint="name the file, ava:FILE.csv, or add ?split=train",
    )


def _frames(file: Path, problems: Problems) -> _Frames:
    """Returns the rows per video and second."""
    frames: _Frames = {}
    for line, cells in read_rows(file):
        where = f"line {line}"
        if len(cells) not in _LENGTHS:
            problems.found("malformed row", where)
            continue
        video, second = cells[0].replace("\\", "/"), number_of(cells[1])
        if not video or not 0 <= second < _MAX_SECOND:
            problems.found("annotation without image", where)
            continue
        rows = frames.setdefault((video, int(second)), [])
        if not any(cells[2:]):
            continue
        left, top, right, bottom = (number_of(cell) for cell in cells[2:6])
        box = (top, left, bottom, right)
        action = cells[6].removesuffix(".0")
        person = cells[7].removesuffix(".0") if len(cells) == max(_LENGTHS) else ""
        if any(math.isnan(side) for side in box):
            problems.found("malformed box", f"{where} ({video})")
        elif not is_whole(action) or not 0 < int(action) < 2**31:
            problems.found("object without class", f"{where} ({video})")
        else:
            known = is_whole(person) and int(person) < 2**31
            rows.append(_Row(line, box, int(action), int(person) if known else -1))
    if not frames:
        raise DataError(
            str(file),
            "has no rows of AVA",
            hint="the cells are video, second, x1, y1, x2, y2, action and person, "
            "without a line of names; other CSV files are read by csv:",
        )
    return frames


def _excluded(file: Path, frames: _Frames) -> list[tuple[str, int]]:
    """Returns the frames that the list of excluded seconds beside the file names."""
    prefix, _, version = file.stem.rpartition("_")
    name = f"{prefix}_{_EXCLUDED}_{version}.csv"
    if name not in names_in(file.parent):
        return []
    rows = [cells for _, cells in read_rows(file.parent / name) if len(cells) > 1]
    keys = ((video, number_of(second)) for video, second, *_ in rows)
    sound = ((video, int(s)) for video, s in keys if 0 <= s < _MAX_SECOND)
    return [key for key in dict.fromkeys(sound) if key in frames]


def _action_names(file: Path) -> dict[int, str]:
    """Returns the names of the action list beside a file; {} without one."""
    lists = sorted(n for n in names_in(file.parent) if n.endswith(".pbtxt"))
    lists = [n for n in lists if "action_list" in n]
    if not lists:
        return {}
    names: dict[int, str] = {}
    for block in _BLOCK.findall(read_text(file.parent / lists[0])):
        fields = {key: text or number for key, text, number in _FIELD.findall(block)}
        number = fields.get("label_id") or fields.get("id") or ""
        name = fields.get("name", "")
        if is_whole(number) and name and name not in names.values():
            names[int(number)] = name
    return names


def _label_map(names: dict[int, str], used: Iterable[int], file: Path) -> LabelMap:
    numbers = sorted(n for n in {*names, *used} if 0 < n < 2**31)
    categories = (Category(n, names.get(n) or f"class {n}") for n in numbers)
    return LabelMap(tuple(categories), f"actions of {file}")


def _folders(file: Path, images: str | Path | None) -> list[Path]:
    if images is not None:
        return [file.parent / images, Path(images)]
    near = (file.parent, file.parent.parent)
    names = ("frames", "images", "videos", "clips", "")
    return [folder / name for folder in near for name in names]


def _raw(
    image_id: str,
    filename: str,
    rows: Iterable[_Row],
    names: dict[int, str],
    index: ClassIndex,
) -> Raw:
    boxes, classes, persons = [], [], []
    for row in rows:
        where = f"line {row.line} ({image_id})"
        name = names.get(row.action, "")
        if name:
            found = index.of_name(name, where)
        else:
            found = index.of_id(row.action, where, shown=f"action {row.action}")
        if found != UNKNOWN:
            boxes.append(row.box)
            classes.append(found)
            persons.append(row.person)
    arrays: dict[str, np.ndarray] = {
        "boxes": np.array(boxes, np.float64).reshape(-1, 4),
        "classes": np.array(classes, np.int32),
    }
    if any(person >= 0 for person in persons):
        arrays["track_ids"] = np.array(persons, np.int32)
    return Raw(image_id, filename, None, arrays, in_pixels=False)
