"""LabelMe JSON: one file per image, with shapes and maybe the image itself."""

import base64
import binascii
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from odapi.data.clean import annotated_size
from odapi.data.numbers import number_of
from odapi.data.problems import Problems
from odapi.data.sources.base import Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.entries import ImageEntries
from odapi.data.sources.files import FileSource, ImageFinder, image_files
from odapi.data.sources.grouped_shapes import ShapeObject
from odapi.data.sources.labelme_shapes import read_objects
from odapi.data.sources.listing import walk
from odapi.data.sources.named_keypoints import (
    NamedKeypoints,
    label_map_with_keypoints,
    sorted_names,
)
from odapi.data.sources.split_names import neither_file_nor_folder, synonyms
from odapi.errors import DataError, OdapiError
from odapi.files import read_json
from odapi.labels import LabelMap
from odapi.wording import counted

Path = pathlib.Path
Json = dict[str, Any]


def open_labelme(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    load_masks: bool = True,
) -> FileSource:
    """Opens a folder of LabelMe files.

    Args:
        path: The folder, whose subfolders are searched, too; or one JSON file.
        label_map: The classes; matched by name. None numbers the labels in all files
            in alphabetical order.
        images: Folder of the images; None searches beside each file, in folders named
            `images`, and takes the image in the file if there is no other.
        split: A folder within `path`.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks.
        skip_missing: Whether to continue if more than half of the images are missing.
        load_masks: Whether samples get masks.

    Raises:
        DataError: There are no such files, a class is unknown, or images are missing.
    """
    root = Path(path)
    problems = Problems()
    files = _json_files(root)
    chosen = _of_split(root, files, split or "")
    parsed = {file: _parse(file, problems) for file in chosen}
    if not any(content is not None for content in parsed.values()):
        first = next((p.first[0] for p in problems), "")
        raise DataError(
            str(root),
            f"has no LabelMe files among {counted(len(chosen), 'JSON file')}, such as "
            f"{first}",
            hint="a LabelMe file has a list of shapes; COCO files are read by coco:",
        )
    name = f"{root}" + (f"?split={split}" if split else "")
    objects = {
        file: read_objects(content["shapes"], file.name, problems)
        for file, content in parsed.items()
        if content is not None
    }
    own = _label_map(root, files, objects)
    label_map = label_map or own
    index = ClassIndex(label_map, name, problems, drop_unknown)
    keypoints = NamedKeypoints(label_map, own, problems)
    finder = ImageFinder(_folders(root, images))
    entries = _Entries(name, finder, problems)
    for file, found in objects.items():
        content = parsed[file] or {}
        image = entries.find_image(content, file)
        if image is None:
            continue
        image_id = file.stem
        if file.parent.is_relative_to(root):
            image_id = file.relative_to(root).with_suffix("").as_posix()
        raw = _raw(image_id, image.name, content, found, index, keypoints, load_masks)
        entries.add(image, raw)
    for folder in dict.fromkeys(file.parent for file in chosen):
        for image in image_files(folder):
            if image not in entries:
                problems.found("missing annotation", image.name)
    return entries.source(label_map, index, skip_missing, load_masks, LabelMeSource)


class LabelMeSource(FileSource):
    """The samples of LabelMe files. Use `open_labelme`.

    A sample whose image is stored in its JSON file has the path of that file.
    """

    def image_path(self, index: int) -> Path | None:
        """Returns the path of the image file; None if it is in a JSON file."""
        path = self.path(index)
        return None if _is_json(path) else path

    def _read(self, index: int, size: int) -> bytes:
        path = self.path(index)
        if not _is_json(path):
            return super()._read(index, size)
        data = read_json(path).get("imageData")
        try:
            return base64.b64decode(data or "", validate=False)
        except (binascii.Error, TypeError, ValueError) as error:
            raise DataError(str(path), f"imageData is no base64: {error}") from error


class _Entries(ImageEntries):
    """Images beside JSON files, or within them."""

    def find_image(self, content: Json, file: Path) -> Path | None:
        """Returns the path of the image, or of the file itself if it stores it."""
        given = content.get("imagePath")
        wanted = given if isinstance(given, str) and given.strip() else file.stem
        if self.finder.find(wanted, file.parent) is None:
            if content["imageData"]:
                return file
            if self.finder.find(file.stem, file.parent) is not None:
                wanted = file.stem  # Renamed together with its image.
        return self.find(wanted, file.parent)


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _json_files(root: Path) -> list[Path]:
    """Returns the JSON files of a dataset; hidden folders are left out.

    Raises:
        DataError: There are none.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise neither_file_nor_folder(root)
    found = []
    for folder, folders, names in walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        shown = sorted(n for n in names if not n.startswith("."))
        found += [folder / n for n in shown if _is_json(folder / n)]
    if not found:
        raise DataError(str(root), "has no JSON files; its subfolders were searched")
    return found


def _of_split(root: Path, files: list[Path], split: str) -> list[Path]:
    """Returns the files in the folder of a split, or all of them."""
    if not split:
        return files
    for name in synonyms(split):
        inside = [f for f in files if f.is_relative_to(root / name)]
        if inside:
            return inside
    raise DataError(
        str(root), f"has no split {split!r}", hint="a split is a folder with JSON files"
    )


def _parse(file: Path, problems: Problems) -> Json | None:
    """Returns the content of a file without its image; None if it is not LabelMe's."""
    try:
        content = read_json(file)
    except OdapiError as error:
        problems.found("unreadable annotation", f"{file.name} ({error.problem})")
        return None
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        problems.found("unreadable annotation", f"{file.name} (no list of shapes)")
        return None
    content["imageData"] = bool(content.get("imageData"))  # Megabytes of text.
    return content


def _label_map(
    root: Path, files: Iterable[Path], parsed: Mapping[Path, list[ShapeObject]]
) -> LabelMap:
    """Numbers the labels in all files, so that splits agree."""
    unseen = Problems()
    names: dict[str, set[str]] = {}
    for file in files:
        found = parsed.get(file)
        if found is None:
            content = _parse(file, unseen)
            found = read_objects(content["shapes"], "", unseen) if content else []
        for one in found:
            names.setdefault(one.label, set()).update(one.points)
    return label_map_with_keypoints(sorted_names(names), f"labels in {root}")


def _folders(root: Path, images: str | Path | None) -> list[Path]:
    """Returns the folders to search for images besides that of each file."""
    top = root if root.is_dir() else root.parent
    if images is not None:
        return [top / images, Path(images)]
    near = [top, top.parent]
    names = ("images", "img", "JPEGImages")
    return [top, *(folder / name for folder in near for name in names)]


def _raw(
    image_id: str,
    filename: str,
    content: Json,
    objects: Iterable[ShapeObject],
    index: ClassIndex,
    keypoints: NamedKeypoints,
    load_masks: bool,
) -> Raw:
    kept, classes = [], []
    for one in objects:
        found = index.of_name(one.label, one.where)
        if found != UNKNOWN:
            kept.append(one)
            classes.append(found)
    arrays: dict[str, np.ndarray] = {
        "boxes": np.array([one.box for one in kept], np.float64).reshape(-1, 4),
        "classes": np.array(classes, np.int32),
    }
    difficult = [one.value("difficult", False) for one in kept]
    if any(difficult):
        arrays["difficult"] = np.array(difficult, bool)
    points = [one.points for one in kept]
    where = [one.where for one in kept]
    arrays |= keypoints.objects(points, classes, where.__getitem__)
    masks = [one.mask_of() for one in kept] if load_masks else None
    sides = [number_of(content.get(f"image{side}")) for side in ("Height", "Width")]
    return Raw(
        image_id,
        "" if _is_json(Path(filename)) else filename,
        annotated_size(*sides),
        arrays,
        mask_of=masks if masks and any(masks) else None,
    )
