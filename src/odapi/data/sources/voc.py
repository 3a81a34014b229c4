"""Pascal VOC XML: files of LabelImg, flat folders, or the layout of the challenge."""

import pathlib
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping

import numpy as np

from odapi.data.clean import annotated_size
from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.files import FileSource, check_missing
from odapi.data.sources.voc_files import (
    ListedNames,
    VocImages,
    find_xml_files,
    ids_of,
    read_split,
)
from odapi.errors import DataError
from odapi.files import is_lfs_pointer, read_file
from odapi.labels import LabelMap, label_map_of

Path = pathlib.Path
Element = ElementTree.Element


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
    folder, lines = read_split(root, split) if split else (root, None)
    problems = Problems()
    files = ids_of(folder, find_xml_files(folder, problems), problems)
    names = list(files) if lines is None else _listed(lines, files, problems)
    parsed = {n: parse_annotation(files[n], problems) for n in names}
    if label_map is None:
        label_map = _label_map(root, {files[n]: a for n, a in parsed.items()})
    index = ClassIndex(label_map, name, problems, drop_unknown)
    found = VocImages(folder, root, files, images)
    entries: dict[Path, Raw] = {}
    missing = []
    for image_id, annotation in parsed.items():
        if annotation is None:  # Counted when parsed.
            continue
        filename = _text(annotation, "filename")
        image = found.find(image_id, files[image_id], filename, problems)
        if image is None:
            missing.append(filename or image_id)
            problems.found("missing image", filename or image_id)
            continue
        owner = entries[image].image_id if image in entries else found.owner(image)
        if owner not in (None, image_id):
            where = f"{image_id} ({image.name}, the image of {owner})"
            problems.found("image of two annotations", where)
            continue
        entries[image] = _raw(annotation, image_id, image.name, index)
    index.check()
    total = len(missing) + len(entries)
    check_missing(name, missing, total, found.finder, skip_missing)
    if lines is None:
        for image in found.without_annotation(entries):
            problems.found("missing annotation", _shown(image, root))
    pairs = [(raw, image) for image, raw in entries.items()]
    return FileSource(name, label_map, pairs, problems)


def _shown(image: Path, root: Path) -> str:
    return str(image.relative_to(root) if image.is_relative_to(root) else image)


def _listed(
    lines: Iterable[str], files: Mapping[str, Path], problems: Problems
) -> list[str]:
    """Returns the ids that the lines of a list name, each once."""
    names = ListedNames(files)
    listed: dict[str, None] = {}
    for line in lines:
        found = names.find(line)
        if found is None:
            problems.found("missing annotation", line.strip())
        elif found in listed:
            problems.found("repeated image", found)
        else:
            listed[found] = None
    return list(listed)


def parse_annotation(file: Path, problems: Problems) -> Element | None:
    """Returns the root of an XML file; None if it cannot be read, which is counted."""
    try:
        root = parse_xml(read_file(file))
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        problems.found("unreadable annotation", f"{file.name} ({error})")
        return None
    if root.tag != "annotation":
        problems.found("unreadable annotation", f"{file.name} (<{root.tag}>)")
        return None
    return root


def parse_xml(data: bytes) -> Element:
    """Returns the root of an XML file.

    Raises:
        ParseError, ValueError, LookupError: It is no XML, or in another encoding than
            it declares.
    """
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        if is_lfs_pointer(data):
            raise ValueError("a Git LFS pointer: run `git lfs pull`") from None
        bare = data.lstrip()
        if bare != data:  # Nothing may stand before the declaration.
            return parse_xml(bare)
        declared = _ENCODING.match(data)
        if declared is None and not _is_utf8(data):
            raise ValueError("is not UTF-8, and declares no encoding") from None
        if declared is None:
            raise
    encoding = declared[1].decode().lower()
    if encoding in ("gb2312", "gbk"):
        encoding = "gb18030"  # Contains both, which tools confuse.
    if encoding.startswith("utf-16") and b"\0" not in data:
        encoding = "utf-8-sig"  # .NET declares UTF-16 for any text.
    return ElementTree.fromstring(data.decode(encoding))


_ENCODING = re.compile(
    rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding=["']([\w.:-]+)["']"""
)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _label_map(root: Path, parsed: dict[Path, Element | None]) -> LabelMap:
    """Numbers the names in all files below `root`, so that splits agree."""
    unseen = Problems()  # Problems of other splits are not reported.
    names = set()
    for file in dict.fromkeys((*find_xml_files(root, unseen), *parsed)):
        annotation = parsed[file] if file in parsed else parse_annotation(file, unseen)
        if annotation is not None:
            names |= {_text(o, "name") for o in annotation.iterfind("object")}
    return label_map_of(sorted(names - {""}), f"class names in {root}")


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _number(element: Element, path: str) -> float:
    """Returns a number, or NaN if there is none."""
    return number_of(_text(element, path))


def annotated_box(element: Element) -> list[float]:
    """Returns y_min, x_min, y_max and x_max of an object in pixels; NaN if missing."""
    return [_number(element, f"bndbox/{s}") for s in ("ymin", "xmin", "ymax", "xmax")]


def image_size(annotation: Element) -> tuple[int, int] | None:
    """Returns (height, width) in an annotation, or None if it is unknown."""
    sides = (_number(annotation, f"size/{side}") for side in ("height", "width"))
    return annotated_size(*sides)


def _raw(annotation: Element, image_id: str, filename: str, index: ClassIndex) -> Raw:
    classes, boxes, difficult = [], [], []
    for number, element in enumerate(annotation.iterfind("object"), 1):
        where = f"{image_id}, object {number}"
        name = _text(element, "name")
        if not name:
            index.problems.found("object without class", where)
            continue
        box = annotated_box(element)
        found = index.of_name(name, where)
        if found == UNKNOWN:
            continue
        classes.append(found)
        boxes.append(box)
        difficult.append(_text(element, "difficult") in ("1", "true", "True"))
    return Raw(
        image_id=image_id,
        filename=filename,
        size=image_size(annotation),
        objects={
            "boxes": np.array(boxes, np.float64).reshape(-1, 4),
            "classes": np.array(classes, np.int32),
            "difficult": np.array(difficult, bool),
        },
    )
