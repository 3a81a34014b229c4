"""COCO JSON: boxes, crowds, masks as polygons or run lengths, keypoints."""

import pathlib
from typing import Any

from odapi.data.problems import Problems
from odapi.data.sources.classes import ClassIndex
from odapi.data.sources.coco_annotations import AnnotationReader, has_shape
from odapi.data.sources.coco_content import Json, read_content
from odapi.data.sources.coco_keypoints import keypoint_names
from odapi.data.sources.files import FileSource, ImageFinder, check_missing, unique_id
from odapi.data.sources.lvis_fields import frequency_fields, name_from_url
from odapi.data.sources.split_names import (
    files_of_split,
    neither_file_nor_folder,
    some_files,
)
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap

Path = pathlib.Path


def open_coco(
    path: str | Path,
    label_map: LabelMap | None = None,
    images: str | Path | None = None,
    split: str | None = None,
    drop_unknown: bool = False,
    skip_missing: bool = False,
    load_masks: bool = True,
) -> "CocoSource":
    """Opens a COCO annotation file.

    Args:
        path: The JSON file, or a folder that holds one, such as
            `annotations/instances_train.json` or Roboflow's `train/`.
        label_map: The classes; matched by name. None uses the categories of the file.
        images: Folder of the images; None searches the folder of the JSON, `images`,
            and folders named like the file.
        split: Selects the file of a folder with this in its name.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks, instead
            of raising an error.
        skip_missing: Whether to continue if more than half of the images are missing.
        load_masks: Whether samples get masks.

    Returns:
        The source; images in the order of the file.

    Raises:
        DataError: It is not a COCO file, a class is unknown, or images are missing.
    """
    file = _json_file(Path(path), split)
    content = read_content(file)
    for image in content["images"]:
        name_from_url(image)
    problems = Problems()
    per_image = _by_image(content, file, problems)
    shift = _id_shift(content, per_image, file, problems)
    if label_map is None:
        label_map = _label_map(content, file, shift, problems)
    index = ClassIndex(label_map, f"{file}", problems, drop_unknown)
    reader = AnnotationReader(content, index, problems, load_masks)
    finder = ImageFinder(_folders(file, images))
    entries, missing, taken, own_ids = [], [], set[str](), []
    for image in _unique_images(content, file, problems):
        found = finder.find(image["file_name"])
        if found is None:
            missing.append(image["file_name"])
            problems.found("missing image", image["file_name"])
            continue
        image_id = unique_id(str(image["id"]), taken, problems)
        raw = reader.raw(image, image_id, per_image[image["id"]])
        entries.append((raw, found))
        own_ids.append(image["id"])
    index.check()
    check_missing(str(file), missing, len(missing) + len(entries), finder, skip_missing)
    source = CocoSource(str(file), label_map, entries, problems, None, load_masks)
    source.file, source.own_ids = file, own_ids
    return source


class CocoSource(FileSource):
    """The samples of a COCO file. Use `open_coco`.

    Args:
        file: The JSON file.
        own_ids: The id of each image in the file, in the order of the samples.
    """

    file: Path
    own_ids: list[Any]


def _json_file(path: Path, split: str | None) -> Path:
    """Returns the annotation file of a path."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise neither_file_nor_folder(path)
    files = files_of_split(path, ".json", split or "")
    if len(files) > 1:  # COCO's own folder also has captions and keypoints.
        instances = [f for f in files if f.stem.startswith("instances")]
        files = instances or files
    if len(files) == 1:
        return files[0]
    names = ", ".join(str(f) for f in files) or "none"
    there = "" if files else some_files(path, ".json")
    raise DataError(
        str(path),
        f"needs one annotation file, found {names}"
        + (f" with {split!r} in its name" if split else "")
        + (f"; there are {there}" if there else ""),
        hint=f"name the file, {path}/FILE.json, or add ?split=train",
    )


def _by_image(content: Json, file: Path, problems: Problems) -> dict[Any, list[Json]]:
    """Returns the annotations per image id, without duplicates."""
    try:
        per_image: dict[Any, list[Json]] = {i["id"]: [] for i in content["images"]}
    except (KeyError, TypeError) as error:
        raise DataError(str(file), f"an image without {error}") from error
    seen: set[tuple[Any, ...]] = set()
    for number, annotation in enumerate(content["annotations"]):
        where = f"annotation {annotation.get('id', number)}"
        image_id = annotation.get("image_id")
        if image_id not in per_image:
            problems.found("annotation without image", f"{where} (image {image_id})")
            continue
        if "bbox" not in annotation and not has_shape(annotation):
            problems.found("image label", where)
            continue
        if "id" in annotation:
            category, bbox = annotation.get("category_id"), str(annotation.get("bbox"))
            key = (annotation["id"], image_id, category, bbox)
            if key in seen:
                problems.found("repeated annotation", where)
                continue
            seen.add(key)
        per_image[image_id].append(annotation)
    return per_image


def _unique_images(content: Json, file: Path, problems: Problems) -> list[Json]:
    """Returns the images, each once.

    Raises:
        DataError: Two different images share an id, which makes their annotations
            ambiguous; or an image has no file name.
    """
    names: dict[Any, str] = {}
    images = []
    for image in content["images"]:
        name = image.get("file_name")
        if not isinstance(name, str) or not name:
            raise DataError(str(file), f"image {image['id']} has no file_name")
        if image["id"] not in names:
            names[image["id"]] = name
            images.append(image)
        elif names[image["id"]] == name:
            problems.found("repeated image", name)
        else:
            raise DataError(
                str(file),
                f"image id {image['id']!r} belongs to {names[image['id']]} and to "
                f"{name}, which makes their annotations ambiguous",
                hint="give each image a unique id",
            )
    return images


def _id_shift(
    content: Json, per_image: dict[Any, list[Json]], file: Path, problems: Problems
) -> int:
    """Returns 1 if category ids count from 0, else 0."""
    used = {a.get("category_id") for anns in per_image.values() for a in anns}
    for category in content["categories"]:
        if category["id"] < 0 and category["id"] in used:
            raise DataError(
                str(file),
                f"the id of category {category['name']!r} is {category['id']}",
                hint="ids of categories are integers, from 1",
            )
    if 0 not in used:
        return 0  # A category 0 without objects: Roboflow's root, camera traps' empty.
    if 0 in {c.get("id") for c in content["categories"]}:
        problems.found("class id 0", str(file))
        return 1
    return 0


def _label_map(content: Json, file: Path, shift: int, problems: Problems) -> LabelMap:
    categories, next_keypoint = [], 0
    for category in content["categories"]:
        if category["id"] + shift < 1:
            continue
        names = keypoint_names(category, str(file))
        keypoints = tuple(Keypoint(next_keypoint + i, n) for i, n in enumerate(names))
        next_keypoint += len(keypoints)
        categories.append(
            Category(
                category["id"] + shift,
                str(category["name"]),
                keypoints=keypoints,
                skeleton=_skeleton(category, keypoints, problems),
                **frequency_fields(category),
            )
        )
    categories.sort(key=lambda c: c.id)
    return LabelMap(tuple(categories), f"categories of {file}")


def _skeleton(
    category: Json, keypoints: tuple[Keypoint, ...], problems: Problems
) -> tuple[tuple[int, int], ...]:
    """Returns the edges between keypoints; files count keypoints from 1."""
    ids = {number: keypoint.id for number, keypoint in enumerate(keypoints, start=1)}
    try:
        return tuple((ids[a], ids[b]) for a, b in category.get("skeleton") or ())
    except (KeyError, TypeError, ValueError):
        problems.found("malformed skeleton", f"category {category['name']}")
        return ()


def _folders(file: Path, images: str | Path | None) -> list[Path]:
    """Returns the folders to search for images, the most likely first."""
    if images is not None:
        given = Path(images)
        return [given, file.parent / given] if not given.is_absolute() else [given]
    near = [file.parent, file.parent.parent]
    stem = file.stem
    for prefix in ("instances_", "person_keypoints_", "captions_", "annotations_"):
        stem = stem.removeprefix(prefix)
    names = ("images", stem, file.stem, f"images/{stem}", "JPEGImages", "data")
    return near + [folder / name for folder in near for name in names]
