"""Files of an Open Images dataset: boxes, image labels, masks, class descriptions."""

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence

from odapi.data.sources.files import names_in
from odapi.data.sources.split_names import (
    neither_file_nor_folder,
    some_files,
    synonyms,
)
from odapi.errors import DataError

Path = pathlib.Path

BOXES = "annotations-bbox"

# Parts of the names of Open Images' files, and those that FiftyOne gives them.
_NAMES = {
    "boxes": (BOXES, "detections.csv"),
    "labels": ("imagelabels", "classifications.csv"),
    "masks": ("object-segmentation", "segmentations.csv"),
    "classes": ("class-descriptions", "classes.csv"),
}
_VERSION = re.compile(r"^(oidv\d+-|challenge-\d+-)")


@dataclasses.dataclass(frozen=True)
class OpenImagesFiles:
    """The files of one split.

    Args:
        boxes: CSV of boxes.
        labels: CSV of image labels, or None.
        masks: CSV of masks, or None.
        classes: CSV of class descriptions, or None.
        mask_folders: Folders of mask files.
        image_folders: Folders to search for images, the most likely first.
    """

    boxes: Path
    labels: Path | None
    masks: Path | None
    classes: Path | None
    mask_folders: Sequence[Path]
    image_folders: Sequence[Path]


def find_files(path: Path, split: str, images: str | Path | None) -> OpenImagesFiles:
    """Returns the files of a dataset.

    Args:
        path: The CSV file of boxes, or a folder.
        split: "train", "validation" or "test"; "" if the folder has one split.
        images: Folder of the images; None searches the usual places.

    Raises:
        DataError: There is no CSV file of boxes, or there are several.
    """
    if path.is_file():
        boxes, split = path, split or _split_of(path)
        root = path.parent
        if root.name in ("annotations", "labels"):
            root = root.parent
    elif path.is_dir():
        root, boxes = path, _boxes(path, split)
        split = split or _split_of(boxes)
    else:
        raise neither_file_nor_folder(path)
    places = list(_places(root, split))

    def sibling(kind: str) -> Path | None:
        found = [f for f in _files(places, kind) if _is_of(f, boxes, kind)]
        found.sort(key=lambda f: ("boxable" not in f.name, f.name))
        return found[0] if found else None

    near = [root, *(root / name for name in synonyms(split) if split)]
    image_folders = [f / n for n in ("", "data", "images") for f in reversed(near)]
    image_folders += [root / "images" / n for n in synonyms(split) if split]
    if images is not None:
        image_folders = [root / images, Path(images)]
    return OpenImagesFiles(
        boxes,
        sibling("labels"),
        sibling("masks"),
        sibling("classes"),
        _mask_folders([*places, *image_folders]),
        image_folders,
    )


def _split_of(boxes: Path) -> str:
    """Returns the split in a name such as `oidv6-train-annotations-bbox.csv`."""
    name = _VERSION.sub("", boxes.name)
    end = name.find(BOXES)
    return name[:end].rstrip("-_") if end > 0 else ""


def _places(root: Path, split: str) -> Iterator[Path]:
    for base in (root, *(root / name for name in synonyms(split) if split)):
        yield from (base / n for n in ("", "annotations", "labels", "metadata"))


def _files(places: Sequence[Path], kind: str) -> list[Path]:
    """Returns the CSV files of a kind; machine-generated labels are left out."""
    part, exact = _NAMES[kind]
    found = {
        place / name: None
        for place in places
        for name in sorted(names_in(place))
        if (part in name and name.endswith(".csv") and "machine" not in name)
        or name == exact
    }
    return list(found)


def _is_of(file: Path, boxes: Path, kind: str) -> bool:
    """Returns whether a file is of the split of a CSV of boxes."""
    own = _split_of(boxes)
    if kind == "classes" or not own:
        return True
    return _VERSION.sub("", file.name).startswith(own)


def _boxes(root: Path, split: str) -> Path:
    found = _files(list(_places(root, split)), "boxes")
    if split:
        found = [f for f in found if _split_of(f) in ("", *synonyms(split))]
    if len(found) == 1:
        return found[0]
    of_split = f", of the split {split!r}" if split else ""
    if found:
        names = ", ".join(f.name for f in found)
        problem = f"has several CSV files of boxes: {names}{of_split}"
    else:
        there = some_files(root, ".csv")
        problem = f"has no CSV file of boxes, NAME-{BOXES}.csv{of_split}"
        problem += f"; there are {there}" if there else ""
    raise DataError(
        str(root),
        problem,
        hint="name the file, openimages:FILE.csv, or add ?split=train",
    )


def _mask_folders(places: Sequence[Path]) -> list[Path]:
    """Returns the folders with "mask" in their names, and folders in them."""
    found: dict[Path, None] = {}
    for place in places:
        for name in sorted(names_in(place)):
            if "mask" in name.lower() and (place / name).is_dir():
                inside = sorted(p for p in (place / name).iterdir() if p.is_dir())
                found |= dict.fromkeys([place / name, *inside])
    return list(found)
