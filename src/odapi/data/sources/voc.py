"""Pascal VOC XML: files of LabelImg, flat folders, or the layout of the challenge."""

import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

import numpy as np

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
from odapi.errors import DataError
from odapi.files import is_image_file
from odapi.labels import LabelMap, label_map_of

Path = pathlib.Path
Element = ElementTree.Element

_ANNOTATION_FOLDERS = (
    "Annotations",
    "annotations",
    "annotations/xmls",
    "xmls",
    "labels",
)
_IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "imgs")


def open_voc(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
) -> FileSource:
    """Opens a folder of Pascal VOC XML files.

    Args:
        path: A folder with `Annotations` and `JPEGImages`, or one that contains
            XML files and images.
        label_map: The classes. None numbers the names in all XML files of the folder,
            not only of the split, in alphabetical order.
        images: Folder of the images; None searches the usual places.
        split: A list in `ImageSets/Main`, or a folder within `path`; None means
            all XML files.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.

    Returns:
        The source; images in the order of the list, or by name.

    Raises:
        DataError: There are no XML files or no such split, a class is unknown, or
            images are missing.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(str(root), "no such folder", hint="voc: takes a folder")
    name = f"{root}" + (f"?split={split}" if split else "")
    folder, listed = _split(root, split)
    problems = Problems()
    files = _by_name(_xml_files(folder), problems)
    names = _once(listed, problems) if listed is not None else list(files)
    parsed = {n: _parse(files[n], problems) for n in names if n in files}
    if label_map is None:
        label_map = _label_map(root, {files[n]: a for n, a in parsed.items()})
    index = ClassIndex(label_map, name, problems, drop_unknown)
    finder = ImageFinder(_image_folders(folder, root, images, files.values()))
    entries, missing = [], []
    for stem in names:
        if stem not in parsed:
            problems.found("missing annotation", stem)
            continue
        annotation = parsed[stem]
        if annotation is None:  # Counted when parsed.
            continue
        wanted = _text(annotation, "filename") or files[stem].stem
        beside = files[stem].parent
        found = finder.find(wanted, beside) or finder.find(files[stem].stem, beside)
        if found is None:
            missing.append(wanted)
            problems.found("missing image", wanted)
            continue
        entries.append((_raw(annotation, stem, found.name, index), found))
    index.check()
    check_missing(name, missing, len(missing) + len(entries), finder, skip_missing)
    if listed is None:
        _count_unannotated(files, [p for _, p in entries], problems)
    return FileSource(name, label_map, entries, problems)


def _split(root: Path, split: str | None) -> tuple[Path, list[str] | None]:
    """Returns the folder to read, and the names in the list of the split, if any."""
    if split is None:
        return root, None
    for folder in (root / "ImageSets" / "Main", root / "ImageSets", root):
        file = folder / f"{split}.txt"
        if file.is_file():
            lines = file.read_text("utf-8-sig").splitlines()
            # Lists of one class have 1 or -1 after the name.
            return root, [_stem(line.split()[0]) for line in lines if line.strip()]
    if (root / split).is_dir():
        return root / split, None
    known = sorted(
        {f.stem for f in root.glob("ImageSets/Main/*.txt")}
        | {d.name for d in root.iterdir() if any(d.glob("*.xml"))}
        - set(_ANNOTATION_FOLDERS)
    )
    raise DataError(
        str(root),
        f"has no split {split!r}; it has {', '.join(known) or 'none'}",
        hint="a split is a list ImageSets/Main/NAME.txt or a folder NAME; "
        "`odapi data split` makes them",
    )


def _stem(name: str) -> str:
    """Removes a suffix of an image or XML file, but no other dot."""
    path = Path(name.replace("\\", "/"))
    return (
        path.stem if is_image_file(path) or path.suffix.lower() == ".xml" else path.name
    )


def _once(stems: list[str], problems: Problems) -> list[str]:
    seen: set[str] = set()
    for stem in stems:
        if stem in seen:
            problems.found("repeated image", stem)
        seen.add(stem)
    return list(dict.fromkeys(stems))


def _by_name(files: list[Path], problems: Problems) -> dict[str, Path]:
    taken: set[str] = set()
    return {unique_id(f.stem, taken, problems): f for f in files}


def _xml_files(root: Path) -> list[Path]:
    """Returns the XML files of a dataset, sorted by name.

    Raises:
        DataError: There are no XML files.
    """
    for folder in (*(root / f for f in _ANNOTATION_FOLDERS), root):
        files = sorted(folder.glob("*.xml"))
        if files:
            return files
    files = sorted(root.rglob("*.xml"))
    if not files:
        raise DataError(
            str(root),
            f"has no XML files; searched {', '.join(_ANNOTATION_FOLDERS)}, the "
            "folder itself and its subfolders",
        )
    return files


def _image_folders(
    folder: Path, root: Path, images: str | Path | None, files: Iterable[Path]
) -> list[Path]:
    if images is not None:
        return [root / images, Path(images)]
    near = [f / name for f in (folder, root) for name in (*_IMAGE_FOLDERS, "")]
    return near + sorted({f.parent for f in files})


def _parse(file: Path, problems: Problems) -> Element | None:
    try:
        root = ElementTree.fromstring(file.read_bytes())
    except (ElementTree.ParseError, OSError, ValueError) as error:
        problems.found("unreadable annotation", f"{file.name} ({error})")
        return None
    if root.tag != "annotation":
        problems.found("unreadable annotation", f"{file.name} (<{root.tag}>)")
        return None
    return root


def _label_map(root: Path, parsed: dict[Path, Element | None]) -> LabelMap:
    """Numbers the names in all files below `root`, so that splits agree."""
    unseen = Problems()  # Problems of other splits are not reported.
    names = set()
    for file in sorted({*root.rglob("*.xml"), *parsed}):
        annotation = parsed[file] if file in parsed else _parse(file, unseen)
        if annotation is not None:
            names |= {_text(o, "name") for o in annotation.iterfind("object")}
    return label_map_of(sorted(names - {""}), f"class names in {root}")


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _number(element: Element, path: str) -> float:
    """Returns a number, or NaN if there is none."""
    try:
        return float(_text(element, path))
    except ValueError:
        return float("nan")


def _size(annotation: Element) -> tuple[int, int] | None:
    size = (_number(annotation, "size/height"), _number(annotation, "size/width"))
    # Some tools write 0 for unknown.
    return (int(size[0]), int(size[1])) if min(size) >= 1 else None


def _raw(annotation: Element, image_id: str, filename: str, index: ClassIndex) -> Raw:
    classes, boxes, difficult = [], [], []
    for number, element in enumerate(annotation.iterfind("object"), 1):
        where = f"{image_id}, object {number}"
        name = _text(element, "name")
        if not name:
            index.problems.found("object without class", where)
            continue
        box = [
            _number(element, f"bndbox/{s}") for s in ("ymin", "xmin", "ymax", "xmax")
        ]
        found = index.of_name(name, where)
        if found == UNKNOWN:
            continue
        classes.append(found)
        boxes.append(box)
        difficult.append(_text(element, "difficult") in ("1", "true", "True"))
    return Raw(
        image_id=image_id,
        filename=filename,
        size=_size(annotation),
        objects={
            "boxes": np.array(boxes, np.float64).reshape(-1, 4),
            "classes": np.array(classes, np.int32),
            "difficult": np.array(difficult, bool),
        },
    )


def _count_unannotated(
    files: dict[str, Path], used: list[Path], problems: Problems
) -> None:
    """Counts images without an XML file in the folders of annotated ones."""
    taken, stems = set(used), {f.stem for f in files.values()}
    for folder in sorted({p.parent for p in used}):
        for file in image_files(folder):
            if file not in taken and file.stem not in stems:
                problems.found("missing annotation", file.name)
