"""KITTI label files: one line per object, `DontCare` for regions that do not count."""

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np

from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.entries import ImageEntries
from odapi.data.sources.files import FileSource, ImageFinder, image_files, names_in
from odapi.data.sources.split_names import no_folder, synonyms
from odapi.errors import DataError, OdapiError, unknown_choice
from odapi.files import read_text
from odapi.labels import LabelMap, label_map_of

Path = pathlib.Path

DONT_CARE = "DontCare"
_LABELS = ("label_2", "labels", "label")
_IMAGES = ("image_2", "images", "data", "image")
_TAKES = (
    "kitti: takes a folder with label_2 and image_2, or with training/label_2; a "
    "split is a folder with these, or a list ImageSets/NAME.txt"
)
_LENGTHS = (14, 15)  # Numbers after the class, without and with a score.

# Level of the benchmark: maximum truncation and occlusion, minimum height in pixels.
_LEVELS = {"easy": (0.15, 0, 40), "moderate": (0.3, 1, 25), "hard": (0.5, 2, 25)}


def open_kitti(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    level: str = "",
    drop_regions: bool = False,
) -> FileSource:
    """Opens a folder of KITTI label files.

    A region `DontCare` becomes an object of weight 0 per class, marked as crowd: it
    is not learned, and detections in it are not counted.

    Args:
        path: The folder of `training/label_2` or `label_2`, or of `labels` and
            `images`.
        label_map: The classes; matched by name, also in lower case. None numbers the
            names in all files in alphabetical order.
        images: Folder of the images; None searches the usual places.
        split: A folder such as `training`, or a list such as `ImageSets/train.txt`.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        level: "easy", "moderate" or "hard": marks objects beyond this level of the
            benchmark as difficult; "" marks none.
        drop_regions: Whether to leave out regions `DontCare`.

    Raises:
        DataError: There are no label files or no such split, a class is unknown, or
            images are missing.
    """
    root = Path(path)
    if level and level not in _LEVELS:
        raise unknown_choice(f"dataset kitti:{root}?level", level, _LEVELS, DataError)
    if not root.is_dir():
        raise no_folder(root, _TAKES)
    problems = Problems()
    folder, listed = _label_folder(root, split or "")
    files = _label_files(folder, listed, problems)
    parsed = {file: _parse(file, problems) for file in files}
    if label_map is None:
        label_map = _label_map(folder, parsed)
    name = f"{root}" + (f"?split={split}" if split else "")
    index = ClassIndex(label_map, name, problems, drop_unknown)
    finder = ImageFinder(_image_folders(root, folder, images))
    entries = ImageEntries(name, finder, problems)
    for file, lines in parsed.items():
        if lines is None:  # Counted when parsed.
            continue
        if drop_regions:
            lines = [line for line in lines if line.name != DONT_CARE]
        image = entries.find(file.stem)
        if image is not None:
            entries.add(image, _raw(file, image.name, lines, index, level))
    if listed is None:
        _count_unlabeled(finder.folders, files, problems)
    return entries.source(label_map, index, skip_missing)


def _count_unlabeled(
    folders: Iterable[Path], files: Iterable[Path], problems: Problems
) -> None:
    """Counts the images without a label file."""
    stems = {file.stem for file in files}
    for folder in folders:
        if folder.name in _IMAGES:
            for image in image_files(folder):
                if image.stem not in stems:
                    problems.found("missing annotation", image.name)


def _label_folder(root: Path, split: str) -> tuple[Path, list[str] | None]:
    """Returns the folder of the label files, and the names in the list of a split."""
    if root.name in _LABELS and not split:
        return root, None
    tops = [root / name for name in synonyms(split)] if split else [root]
    found = _with_labels([*tops, *(t / "training" for t in tops)])
    if found is not None:
        return found, None
    whole = _with_labels([root, root / "training"])
    if split and whole is not None:
        for name in synonyms(split):
            for place in (root / "ImageSets", root, whole.parent):
                if f"{name}.txt" in names_in(place):
                    lines = read_text(place / f"{name}.txt").split("\n")
                    return whole, [line.strip() for line in lines if line.strip()]
    raise DataError(
        str(root),
        f"has no split {split!r}" if split else "has no folder label_2",
        hint=_parts_hint(root) or _TAKES,
    )


def _parts_hint(root: Path) -> str:
    """Returns the hint that names the splits of a folder; "" if it has none."""
    parts = [n for n in names_in(root) if (root / n).is_dir()]
    parts = [n for n in sorted(parts) if _with_labels([root / n])]
    return f"add ?split={parts[0]}; splits are {', '.join(parts)}" if parts else ""


def _with_labels(tops: Iterable[Path]) -> Path | None:
    """Returns the first folder of label files."""
    folders = (top / name for top in tops for name in _LABELS)
    return next((f for f in folders if any(_is_text(n) for n in names_in(f))), None)


def _is_text(name: str) -> bool:
    return name.lower().endswith(".txt") and not name.startswith(".")


def _label_files(
    folder: Path, listed: list[str] | None, problems: Problems
) -> list[Path]:
    names = names_in(folder)
    if listed is None:
        return [folder / name for name in sorted(names) if _is_text(name)]
    files: dict[Path, None] = {}
    for entry in listed:
        file = folder / f"{Path(entry.replace(chr(92), '/')).stem}.txt"
        if file.name not in names:
            problems.found("missing annotation", entry)
        elif file in files:
            problems.found("repeated image", entry)
        else:
            files[file] = None
    return list(files)


def _image_folders(root: Path, labels: Path, images: str | Path | None) -> list[Path]:
    if images is not None:
        return [root / images, Path(images)]
    top = labels.parent
    near = [top / name for name in _IMAGES]
    # The archives of the benchmark unpack to folders of their own.
    apart = root / "data_object_image_2" / top.name
    return [*near, *(apart / name for name in _IMAGES), labels, top]


@dataclasses.dataclass(frozen=True)
class _Line:
    """One object of a label file.

    Args:
        number: Of the line, from 1.
        name: The class.
        truncated: Share outside of the image, from 0 to 1.
        occluded: 0 (visible) to 3 (unknown).
        box: Top, left, bottom, right in pixels.
    """

    number: int
    name: str
    truncated: float
    occluded: float
    box: tuple[float, float, float, float]

    def is_beyond(self, level: str) -> bool:
        """Returns whether the object is harder than a level of the benchmark."""
        truncated, occluded, height = _LEVELS[level]
        is_low = self.box[2] - self.box[0] < height
        return is_low or self.truncated > truncated or self.occluded > occluded


def _parse(file: Path, problems: Problems) -> list[_Line] | None:
    """Returns the objects of a label file; None if it cannot be read."""
    try:
        text = read_text(file)
    except OdapiError as error:
        problems.found("unreadable annotation", f"{file.name} ({error.problem})")
        return None
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words:
            continue
        # A class name may have spaces: numbers are counted from the end.
        numbers = [number_of(word) for word in words[1:]]
        while len(numbers) > min(_LENGTHS) and numbers[0] != numbers[0]:
            del numbers[0]
        if len(numbers) not in _LENGTHS:
            problems.found("malformed row", f"{file.name}, line {number}")
            continue
        name = " ".join(words[: len(words) - len(numbers)])
        truncated, occluded, _, left, top, right, bottom, *_ = numbers
        box = (top, left, bottom, right)
        lines.append(_Line(number, name, truncated, occluded, box))
    return lines


def _label_map(folder: Path, parsed: dict[Path, list[_Line] | None]) -> LabelMap:
    """Numbers the names in all label files, so that splits agree."""
    unseen = Problems()
    names = set()
    for name in names_in(folder):
        file = folder / name
        if _is_text(name):
            lines = parsed[file] if file in parsed else _parse(file, unseen)
            names |= {line.name for line in lines or ()}
    return label_map_of(sorted(names - {DONT_CARE}), f"class names in {folder}")


def _raw(
    file: Path, filename: str, lines: Iterable[_Line], index: ClassIndex, level: str
) -> Raw:
    boxes, classes, difficult, ignored = [], [], [], []
    every = [c.index for c in index.label_map]
    for line in lines:
        where = f"{file.name}, line {line.number}"
        if line.name == DONT_CARE:
            found = every
        else:
            found = [n for n in [_class_of(line.name, where, index)] if n != UNKNOWN]
        for number in found:
            boxes.append(line.box)
            classes.append(number)
            ignored.append(line.name == DONT_CARE)
            difficult.append(bool(level) and line.is_beyond(level))
    objects: dict[str, np.ndarray] = {
        "boxes": np.array(boxes, np.float64).reshape(-1, 4),
        "classes": np.array(classes, np.int32),
    }
    if any(ignored):
        objects["is_crowd"] = np.array(ignored, bool)
        objects["weights"] = np.where(ignored, 0, 1).astype(np.float32)
    if level:
        objects["difficult"] = np.array(difficult, bool)
    return Raw(file.stem, filename, None, objects)


def _class_of(name: str, where: str, index: ClassIndex) -> int:
    """Returns a class by its name, in lower case as the original writes it, or
    with spaces.
    """
    known = index.label_map.by_name
    forms = (name, name.lower(), name.replace("_", " "))
    return index.of_name(next((f for f in forms if f in known), name), where)
