"""Oxford-IIIT pets: classes from file names, head boxes, and trimaps as masks."""

import collections
import functools
import pathlib
import random
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

import cv2
import numpy as np

from odapi.data.image.header import read_header
from odapi.data.image.limit import check_pixels
from odapi.data.numbers import is_whole
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw, Size
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.entries import ImageEntries
from odapi.data.sources.files import FileSource, ImageFinder, names_in
from odapi.data.sources.split_names import no_folder
from odapi.data.sources.voc import annotated_box, image_size, parse_annotation
from odapi.errors import DataError, unknown_choice
from odapi.files import read_file, read_text
from odapi.labels import Category, LabelMap

Path = pathlib.Path
Element = ElementTree.Element

HEAD, BODY = "head", "body"
BACKGROUND = 2  # Of a trimap; 1 is the animal and 3 its border.

_NAME = re.compile(r"^(.+)_\d+$")
_SEED, _SHARE = 42, 0.7  # Of the original's split into train and val.


def open_pets(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    boxes: str = HEAD,
    load_masks: bool = True,
) -> FileSource:
    """Opens the Oxford-IIIT pets, or a dataset in their layout.

    Args:
        path: The folder of `annotations` and `images`.
        label_map: The classes; matched by name, such as "Abyssinian" of
            `Abyssinian_100.jpg`. None uses the class ids of the lists, or else
            numbers the names in alphabetical order.
        images: Folder of the images; None means `images`.
        split: A list in `annotations`, such as "trainval" or "test"; "train" and
            "val" are the two parts of trainval that the original makes. None means
            all images with annotations.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        boxes: "head": the boxes of the XML files; "body": those around the trimaps,
            which become masks.
        load_masks: Whether samples get masks.

    Raises:
        DataError: There are no annotations or no such split, a class is unknown, or
            images are missing.
    """
    root = Path(path)
    if boxes not in (HEAD, BODY):
        place = f"dataset pets:{root}?boxes"
        raise unknown_choice(place, boxes, (HEAD, BODY), DataError)
    if not root.is_dir():
        raise no_folder(root, "pets: takes the folder of annotations and images")
    problems = Problems()
    folder = root / "annotations"
    files = _annotation_files(root, folder, boxes)
    names = _listed(folder, split, problems) if split else list(files)
    if label_map is None:
        label_map = _label_map(folder, files)
    name = f"{root}" + (f"?split={split}" if split else "")
    index = ClassIndex(label_map, name, problems, drop_unknown)
    given = [root / images, Path(images)] if images else [root / "images", root]
    entries = ImageEntries(name, ImageFinder(given), problems)
    for stem in names:
        if stem not in files:
            problems.found("missing annotation", stem)
            continue
        annotation = None
        if boxes == HEAD:
            annotation = parse_annotation(files[stem], problems)
            if annotation is None:
                continue
        image = entries.find(stem)
        if image is None:
            continue
        if annotation is not None:
            entries.add(image, _head(stem, image.name, annotation, index))
        else:
            entries.add(image, _body(stem, image.name, files[stem], index))
    return entries.source(label_map, index, skip_missing, load_masks)


def _annotation_files(root: Path, folder: Path, boxes: str) -> dict[str, Path]:
    """Returns the XML files or trimaps by the names of their images."""
    name, ending = ("xmls", ".xml") if boxes == HEAD else ("trimaps", ".png")
    inside = folder / name
    files = sorted(n for n in names_in(inside) if n.lower().endswith(ending))
    found = {n[: -len(ending)]: inside / n for n in files if not n.startswith(".")}
    if not found:
        raise DataError(
            str(root),
            f"has no {ending[1:].upper()} files in annotations/{name}",
            hint="pets: takes the folder of annotations and images",
        )
    return found


def _listed(folder: Path, split: str, problems: Problems) -> list[str]:
    """Returns the images of a split, each once."""
    names = names_in(folder)
    if f"{split}.txt" in names:
        found = _names(folder / f"{split}.txt")
    elif split in ("train", "val") and "trainval.txt" in names:
        found = _names(folder / "trainval.txt")
        random.Random(_SEED).shuffle(found)
        count = int(_SHARE * len(found))
        found = found[:count] if split == "train" else found[count:]
    else:
        lists = sorted(n[:-4] for n in names if n.endswith(".txt") and n != "list.txt")
        raise DataError(
            str(folder.parent),
            f"has no split {split!r}; it has {', '.join(lists) or 'none'}",
            hint="a split is a list annotations/NAME.txt",
        )
    for name, count in collections.Counter(found).items():
        if count > 1:
            problems.found("repeated image", name, count - 1)
    return list(dict.fromkeys(found))


def _names(file: Path) -> list[str]:
    return [words[0] for words in _rows(file)]


def _rows(file: Path) -> list[list[str]]:
    """Returns the words of each line; lines of comments are left out."""
    lines = (line.split() for line in read_text(file).split("\n"))
    return [words for words in lines if words and not words[0].startswith("#")]


def class_of(stem: str) -> str:
    """Returns the class in the name of an image; "" if there is none.

    >>> class_of("great_dane_12")
    'great_dane'
    """
    match = _NAME.match(stem)
    return match[1] if match else ""


def _label_map(folder: Path, stems: Iterable[str]) -> LabelMap:
    ids: dict[str, int] = {}
    for name in sorted(n for n in names_in(folder) if n.endswith(".txt")):
        for stem, *numbers in _rows(folder / name):
            if numbers and is_whole(numbers[0]) and 0 < int(numbers[0]) < 2**31:
                ids.setdefault(class_of(stem), int(numbers[0]))
    names = {class_of(stem) for stem in stems} - {""}
    if not names <= ids.keys() or len({ids[n] for n in names}) < len(names):
        ordered = sorted(names, key=lambda n: (n.casefold(), n))
        ids = {name: number for number, name in enumerate(ordered, 1)}
    ids.pop("", None)
    categories = [Category(number, name) for name, number in ids.items()]
    categories.sort(key=lambda c: c.id)
    return LabelMap(tuple(categories), f"class names in {folder.parent}")


def _class(stem: str, index: ClassIndex, count: int) -> int:
    name = class_of(stem)
    if not name:
        index.problems.found("object without class", stem, count)
        return UNKNOWN
    return index.of_name(name, stem, count)


def _head(stem: str, filename: str, annotation: Element, index: ClassIndex) -> Raw:
    """Returns the boxes of an XML file, which are of the class of the image."""
    objects = annotation.findall("object")
    found = _class(stem, index, len(objects)) if objects else UNKNOWN
    kept = objects if found != UNKNOWN else []
    difficult = [(o.findtext("difficult") or "").strip() == "1" for o in kept]
    arrays = {
        "boxes": np.array([annotated_box(o) for o in kept]).reshape(-1, 4),
        "classes": np.full(len(kept), found, np.int32),
        "difficult": np.array(difficult, bool),
    }
    return Raw(stem, filename, image_size(annotation), arrays)


def _body(stem: str, filename: str, trimap: Path, index: ClassIndex) -> Raw:
    """Returns one object, whose box is taken from its mask."""
    found = _class(stem, index, 1)
    count = int(found != UNKNOWN)
    arrays = {
        "boxes": np.full((count, 4), np.nan),
        "classes": np.full(count, found, np.int32),
    }
    mask_of = functools.partial(_decode, trimap)
    return Raw(stem, filename, None, arrays, mask_of=[mask_of] * count)


def _decode(file: Path, size: Size) -> np.ndarray:
    """Returns the mask of a trimap: the animal and its border."""
    try:
        data = read_file(file)
    except OSError as error:
        raise ValueError(str(error)) from error
    check_pixels(data, read_header(data), "trimap", None)
    array = np.frombuffer(data, np.uint8)
    trimap = cv2.imdecode(array, cv2.IMREAD_GRAYSCALE) if len(data) else None
    if trimap is None:
        raise ValueError("no PNG")
    return (trimap != BACKGROUND).astype(np.uint8)
