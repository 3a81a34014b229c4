"""Label files of YOLO datasets: one txt file per image."""

import collections
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from odapi.data.sources.listing import names_in, similar_name, spelling
from odapi.data.sources.yolo_names import MAX_CLASSES, NAME_FILES
from odapi.errors import DataError
from odapi.files import read_text

Path = pathlib.Path

# Text files that hold no objects: lists of images, class names, descriptions.
_OTHER = {"train", "val", "valid", "test", "license"}

_IMAGE_FOLDERS = ("images", "jpegimages")  # Their sibling is `labels`.


class LabelFiles:
    """Finds the label file of each image; upper and lower case are the same.

    Args:
        root: Root folder of the dataset.
        images: All images of the dataset.
    """

    def __init__(self, root: Path, images: Sequence[Path]):
        self.root = root
        self.images = images
        self._folders: dict[Path, list[Path]] = {}
        self._file_of: dict[Path, Path] = {}
        for image in images:
            file = self._same_name(image)
            if file is not None:
                self._file_of[image] = file
        self._match_spellings()

    def of(self, image: Path) -> Path | None:
        """Returns the label file of an image, or None."""
        return self._file_of.get(image)

    def used(self) -> set[Path]:
        """Returns the label files that belong to an image."""
        return set(self._file_of.values())

    def without_file(self) -> list[Path]:
        """Returns the images without a label file."""
        return [image for image in self.images if image not in self._file_of]

    def without_image(self) -> list[Path]:
        """Returns the label files in the folders of used ones that have no image."""
        used = self.used()
        stems = {p.stem for p in self.images}
        return [
            file
            for folder in sorted({f.parent for f in used})
            for file in label_files(folder)
            if file not in used and file.stem not in stems
        ]

    def elsewhere(self) -> list[Path]:
        """Returns files of objects in folders of the dataset without used ones."""
        folders = {os.path.realpath(f) for f in {f.parent for f in self.used()}}
        found = self.all()
        others = {
            folder
            for folder in {f.parent for f in found}
            if os.path.realpath(folder) not in folders
        }
        return [f for f in found if f.parent in others and is_label_file(f)]

    def all(self) -> list[Path]:
        """Returns all txt files of the dataset that may hold objects, sorted.

        They are those below the root, but at most two folders above the label files:
        `path` of a data.yaml may be a folder of many datasets.
        """
        files = self.used() or self.images
        folders = {f.parent for f in files}
        common = Path(os.path.commonpath([os.path.realpath(f) for f in folders]))
        root, base = Path(os.path.realpath(self.root)), common.parent.parent
        inside = base.relative_to(root) if base.is_relative_to(root) else "."
        found = (self.root / inside).rglob("*.[tT][xX][tT]")
        return sorted(f for f in found if _may_be_label(f.name))

    def check_found(self, name: str) -> None:
        """Raises an error if no image has a label file.

        Args:
            name: Name of the dataset, for the message.

        Raises:
            DataError: Names the searched folders and label files elsewhere.
        """
        if self._file_of or not self.images:
            return
        first = self.images[0]
        searched = ", ".join(
            f"{folder}" + ("" if folder.is_dir() else " (no such folder)")
            for folder in self._searched(first)
        )
        others = self.elsewhere()
        found = (
            f"; label files of other names or in other folders: {len(others)}, such as "
            f"{others[0]}"
            if others
            else ""
        )
        raise DataError(
            name,
            f"has no label file for any of its images ({len(self.images)}), such as "
            f"{first.stem}.txt for {first}; searched {searched}{found}",
            hint="label files have the names of the images and lie in a folder "
            "`labels` beside `images`, or beside the images; an empty txt file means "
            "an image without objects",
        )

    def _same_name(self, image: Path) -> Path | None:
        for folder in self._searched(image):
            names = names_in(folder)
            for name in (f"{image.stem}.txt", f"{image.stem}.TXT"):
                if name in names:
                    return folder / name
        return None

    def _match_spellings(self) -> None:
        """Matches names that differ by URL encoding, Unicode normalization or case."""
        rest = [p for p in self.images if p not in self._file_of]
        wanted = collections.Counter(spelling(str(p.with_suffix(""))) for p in rest)
        used = self.used()
        for image in rest:
            if wanted[spelling(str(image.with_suffix("")))] > 1:
                continue
            for folder in self._searched(image):
                name = similar_name(folder, f"{image.stem}.txt")
                if name is not None and folder / name not in used:
                    self._file_of[image] = folder / name
                    break

    def _searched(self, image: Path) -> list[Path]:
        folder = image.parent
        if folder not in self._folders:
            found = dict.fromkeys(self._label_folders(folder))
            self._folders[folder] = list(found)
        return self._folders[folder]

    def _label_folders(self, folder: Path) -> Iterator[Path]:
        for parts in (folder.parts, Path(os.path.abspath(folder)).parts):
            places = [i for i, p in enumerate(parts) if p.lower() in _IMAGE_FOLDERS]
            if places:
                above, below = parts[: places[-1]], parts[places[-1] + 1 :]
                yield _existing(Path(*above), "labels", *below)
                break
        yield folder
        yield _existing(folder, "labels")
        yield _existing(folder.parent, "labels")
        yield _existing(self.root, "labels", folder.name)
        yield _existing(self.root, "labels")


def _existing(base: Path, *names: str) -> Path:
    """Returns a path with the case that its parts have on the disk."""
    path = base
    for name in names:
        path = path / (similar_name(path, name) or name)
    return path


def label_files(folder: Path) -> list[Path]:
    """Returns the txt files in a folder that may hold objects, sorted by name."""
    return [folder / n for n in sorted(names_in(folder)) if _may_be_label(n)]


def _may_be_label(name: str) -> bool:
    stem, _, suffix = name.lower().rpartition(".")
    is_other = stem in _OTHER or stem.startswith("readme")
    return suffix == "txt" and not is_other and name.lower() not in NAME_FILES


def is_label_file(file: Path) -> bool:
    """Returns whether the first line of a file is a class number with numbers."""
    lines = lines_or_none(file)
    if not lines:
        return False
    values = lines[0].split()
    return class_number(lines[0]) is not None and len(values) >= 5


def class_number(line: str) -> int | None:
    """Returns the class number at the beginning of a line, or None."""
    try:
        number = float(line.split()[0])
        return int(number) if number == int(number) else None
    except (ValueError, OverflowError):
        return None


def lines_or_none(file: Path) -> list[str]:
    """Returns the lines with content of a file; none if it cannot be read."""
    try:
        return label_lines(file)
    except DataError:
        return []  # Counted when its image is read.


def label_lines(file: Path) -> list[str]:
    """Returns the lines with content of a label file.

    Raises:
        DataError: It cannot be read or is not text.
    """
    lines = (line.strip() for line in read_text(file).split("\n"))
    return [line for line in lines if line]


def highest_class(files: Iterable[Path]) -> int:
    """Returns the highest class number in label files, -1 if there is none."""
    numbers = (
        class_number(line)
        for file in files
        for line in lines_or_none(file)
        if len(line.split()) >= 5
    )
    return max((n for n in numbers if n is not None and n < MAX_CLASSES), default=-1)
