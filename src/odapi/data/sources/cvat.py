"""CVAT's XML, for images and for video."""

import collections
import dataclasses
import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator

import numpy as np

from odapi.data.clean import annotated_size
from odapi.data.numbers import is_whole, number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw, Size
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.cvat_shapes import read_shape
from odapi.data.sources.entries import ImageEntries
from odapi.data.sources.files import FileSource, ImageFinder, image_files, names_in
from odapi.data.sources.grouped_shapes import Shape, ShapeObject, grouped
from odapi.data.sources.named_keypoints import (
    NamedKeypoints,
    label_map_with_keypoints,
    sorted_names,
)
from odapi.data.sources.split_names import neither_file_nor_folder, synonyms
from odapi.data.sources.voc import parse_xml
from odapi.errors import DataError
from odapi.files import read_file
from odapi.labels import LabelMap

Path = pathlib.Path
Element = ElementTree.Element

ANNOTATIONS = "annotations.xml"


def open_cvat(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    load_masks: bool = True,
) -> FileSource:
    """Opens an export "CVAT for images" or "CVAT for video".

    Args:
        path: The XML file, or the folder of `annotations.xml`.
        label_map: The classes; matched by name. None uses the labels of the task, in
            their order.
        images: Folder of the images; None searches `images` beside the file, and the
            folder of the file.
        split: Subset of the images in the export of a project.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        load_masks: Whether samples get masks.

    Raises:
        DataError: It is no such file, a class is unknown, or images are missing.
    """
    file = _xml_file(Path(path))
    root = _parse(file)
    problems = Problems()
    finder = ImageFinder(_folders(file, images))
    found = [*_images(root, problems), *_frames(root, finder, problems)]
    if split:
        found = _of_subset(found, split, file)
    own = _label_map(root, found, file)
    label_map = label_map or own
    name = f"{file}" + (f"?split={split}" if split else "")
    index = ClassIndex(label_map, name, problems, drop_unknown)
    keypoints = NamedKeypoints(label_map, own, problems)
    entries = ImageEntries(name, finder, problems)
    for image in found:
        place = entries.find(image.name)
        if place is not None:
            entries.add(place, _raw(image, place.name, index, keypoints, load_masks))
    return entries.source(label_map, index, skip_missing, load_masks)


@dataclasses.dataclass
class _Image:
    """One image or frame.

    Args:
        name: Name or path of the file.
        size: (height, width), or None.
        objects: Its objects.
        subset: Of a project; "" if unknown.
    """

    name: str
    size: Size | None
    objects: list[ShapeObject]
    subset: str = ""


def _xml_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise neither_file_nor_folder(path)
    if ANNOTATIONS in names_in(path):
        return path / ANNOTATIONS
    found = sorted(n for n in names_in(path) if n.lower().endswith(".xml"))
    if len(found) == 1:
        return path / found[0]
    raise DataError(
        str(path),
        f"has no {ANNOTATIONS}" + (f"; there are {', '.join(found[:5])}" * bool(found)),
        hint="name the file, cvat:FILE.xml",
    )


def _parse(file: Path) -> Element:
    try:
        root = parse_xml(read_file(file))
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise DataError(f"{file}:{line}", f"is not valid XML: {error}") from error
    except (OSError, ValueError, LookupError) as error:
        raise DataError(str(file), f"cannot be read: {error}") from error
    if root.tag != "annotations":
        raise DataError(
            str(file),
            f"is not a CVAT file: it begins with <{root.tag}>, not <annotations>",
            hint="XML files of single images are read by voc:FOLDER",
        )
    return root


def _folders(file: Path, images: str | Path | None) -> list[Path]:
    if images is not None:
        return [file.parent / images, Path(images)]
    near = (file.parent, file.parent.parent)
    return [folder / name for folder in near for name in ("images", "", "data")]


def _images(root: Element, problems: Problems) -> Iterator[_Image]:
    """Yields the images of "CVAT for images"."""
    for number, element in enumerate(root.iterfind("image"), 1):
        name = element.get("name", "").strip()
        if not name:
            problems.found("annotation without image", f"image {number}")
            continue
        shapes = []
        for place, child in enumerate(element, 1):
            where = f"{name}, object {place}"
            label = child.get("label", "").strip()
            shape = read_shape(child, label, where, problems)
            shapes += [shape] if shape is not None else []
        sides = (number_of(element.get(side)) for side in ("height", "width"))
        subset = element.get("subset", "")
        yield _Image(name, annotated_size(*sides), grouped(shapes), subset)


def _frames(root: Element, finder: ImageFinder, problems: Problems) -> Iterator[_Image]:
    """Yields the frames of "CVAT for video", also those without objects."""
    shapes: dict[int, list[Shape]] = collections.defaultdict(list)
    tracks = root.findall("track")
    for number, track in enumerate(tracks):
        own = track.get("id", "").strip()
        track_id = int(own) if is_whole(own) and int(own) < 2**31 else number
        for element in track:
            frame = element.get("frame", "")
            where = f"track {track_id}, frame {frame or '?'}"
            if element.get("outside") == "1":
                continue
            if not is_whole(frame):
                problems.found("annotation without image", where)
                continue
            label = (track.get("label") or element.get("label") or "").strip()
            shape = read_shape(element, label, where, problems)
            if shape is not None:
                shape.values.setdefault("track_ids", track_id)
                shape.group = None  # Of tracks, not of shapes in a frame.
                shapes[int(frame)].append(shape)
    if not tracks:
        return
    names = _frame_names(root, finder)
    sides = [root.findtext(f"meta//original_size/{s}") for s in ("height", "width")]
    size = annotated_size(*map(number_of, sides))
    for number in sorted({*shapes, *names}):
        name = names.get(number, f"frame_{number:06d}")
        yield _Image(name, size, grouped(shapes.get(number, ())))


def _frame_names(root: Element, finder: ImageFinder) -> dict[int, str]:
    """Returns the image of each frame: by the number in its name, or by its place."""
    count = int(number_of(root.findtext("meta//size") or "0") or 0)
    for folder in finder.folders:
        files = image_files(folder)
        numbers = [_frame_number(file.stem) for file in files]
        if files and all(number is not None for number in numbers):
            pairs = zip(numbers, files, strict=True)
            return {number: file.name for number, file in pairs if number is not None}
        if files and len(files) == count:
            return dict(enumerate(file.name for file in files))
    return {}


def _frame_number(stem: str) -> int | None:
    digits = stem.removeprefix("frame_")
    return int(digits) if is_whole(digits) else None


def _of_subset(found: Iterable[_Image], split: str, file: Path) -> list[_Image]:
    wanted = {name.lower() for name in synonyms(split)}
    found = list(found)
    chosen = [image for image in found if image.subset.lower() in wanted]
    if not chosen:
        known = sorted({image.subset for image in found} - {""})
        raise DataError(
            str(file),
            f"has no images of the subset {split!r}; it has "
            f"{', '.join(known) or 'no subsets'}",
        )
    return chosen


def _label_map(root: Element, found: Iterable[_Image], file: Path) -> LabelMap:
    """Returns the labels of the task, with the keypoints of skeletons."""
    names: dict[str, list[str]] = {}
    sublabels: list[tuple[str, str]] = []
    for element in root.iterfind("meta//labels/label"):
        name = (element.findtext("name") or "").strip()
        parent = (element.findtext("parent") or "").strip()
        if parent:
            sublabels.append((parent, name))
        elif name and element.findtext("type") != "tag":
            names.setdefault(name, [])
    for parent, name in sublabels:
        if name and name not in names.get(parent, [name]):
            names[parent].append(name)
    if not names:
        used: dict[str, set[str]] = {}
        for image in found:
            for one in image.objects:
                used.setdefault(one.label, set()).update(one.points)
        names = sorted_names(used)
    return label_map_with_keypoints(names, f"labels in {file}")


def _raw(
    image: _Image,
    filename: str,
    index: ClassIndex,
    keypoints: NamedKeypoints,
    load_masks: bool,
) -> Raw:
    kept, classes = [], []
    for one in image.objects:
        found = index.of_name(one.label, one.where)
        if found != UNKNOWN:
            kept.append(one)
            classes.append(found)
    arrays: dict[str, np.ndarray] = {
        "boxes": np.array([one.box for one in kept], np.float64).reshape(-1, 4),
        "classes": np.array(classes, np.int32),
    }
    for key, default in (("difficult", False), ("is_crowd", False), ("track_ids", -1)):
        values = [one.value(key, default) for one in kept]
        if any(value != default for value in values):
            arrays[key] = np.array(values, np.int32 if key == "track_ids" else bool)
    points = [one.points for one in kept]
    where = [one.where for one in kept]
    arrays |= keypoints.objects(points, classes, where.__getitem__)
    masks = [one.mask_of() for one in kept] if load_masks else []
    return Raw(
        image.name,
        filename,
        image.size,
        arrays,
        mask_of=masks if any(masks) else None,
    )
