"""Converts COCO-CameraTraps metadata to tf.Examples with location, date and sequence.

Source: the original's create_cococameratraps_tfexample_main.py; the format: https://github.com/microsoft/CameraTraps/blob/main/data_management/README.md.
"""

import collections
import dataclasses
import hashlib
import os
from typing import Any

from odapi.data.image.decode import decode_image
from odapi.errors import DataError
from odapi.files import read_json
from odapi.tools import records

_REQUIRED = ("id", "file_name", "width", "height")
_BOX = "image/object/bbox/"


@dataclasses.dataclass(frozen=True)
class CameraTraps:
    """Metadata of a dataset.

    Args:
        images: Entries of images.
        annotations: Entries of annotations by image id.
        categories: Class names by id.
    """

    images: list[dict[str, Any]]
    annotations: dict[Any, list[dict[str, Any]]]
    categories: dict[int, str]


def read_metadata(path: str) -> CameraTraps:
    """Reads a JSON file in the format of COCO-CameraTraps.

    Raises:
        DataError: The file cannot be read, or an entry lacks a required field.
    """
    content = read_json(path)
    missing = {"images", "annotations", "categories"} - set(content)
    if missing:
        raise DataError(path, f"has no {', '.join(sorted(missing))}")
    for image in content["images"]:
        lacks = [key for key in _REQUIRED if key not in image]
        if lacks:
            raise DataError(path, f"image {image.get('id')!r} has no {lacks[0]}")
    annotations = collections.defaultdict(list)
    for annotation in content["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    categories = {int(c["id"]): str(c["name"]) for c in content["categories"]}
    unknown = {int(a["category_id"]) for a in content["annotations"]} - set(categories)
    if unknown:
        raise DataError(path, f"annotations have the unknown category {min(unknown)}")
    return CameraTraps(content["images"], dict(annotations), categories)


class ImageExample:
    """Converts one image to a tf.Example. Picklable, for the workers.

    Args:
        folder: Folder of the image files; `file_name` is relative to it.
        categories: Class names by id.
    """

    def __init__(self, folder: str, categories: dict[int, str]):
        self.folder = folder
        self.categories = categories

    def __call__(self, entry: tuple[dict[str, Any], list[dict[str, Any]]]) -> bytes:
        """Returns the serialized tf.Example of an image and its annotations.

        Raises:
            DataError: The file is missing or damaged.
        """
        image, annotations = entry
        data = self._file(image["file_name"])
        example = records.empty()
        for name, key in (
            ("image/height", "height"), ("image/width", "width"),
            ("image/seq_num_frames", "seq_num_frames"), (records.FRAME, "frame_num"),
        ):  # fmt: skip
            if key in image:
                records.put(example, name, [image[key]], int)
        for name, key in (
            ("image/filename", "file_name"), (records.SOURCE_ID, "id"),
            (records.LOCATION, "location"), (records.DATE, "date_captured"),
            (records.SEQUENCE, "seq_id"),
        ):  # fmt: skip
            if key in image:
                records.put(example, name, [str(image[key])], bytes)
        digest = hashlib.sha256(data).hexdigest()
        records.put(example, "image/key/sha256", [digest], bytes)
        records.put(example, "image/encoded", [data], bytes)
        records.put(example, "image/format", ["jpeg"], bytes)
        self._objects(example, image, annotations)
        return example.SerializeToString()

    def _file(self, name: str) -> bytes:
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):  # Metadata often have other folders.
            path = os.path.join(self.folder, os.path.basename(name))
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise DataError(path, f"cannot be read: {error.strerror}") from error
        decode_image(data, path)
        return data

    def _objects(
        self, example: Any, image: dict[str, Any], annotations: list[dict[str, Any]]
    ) -> None:
        ids = [int(a["category_id"]) for a in annotations]
        names = [self.categories[i] for i in ids]
        boxes = [_box(a, image) for a in annotations]
        # An annotation without a box is the class of the image, not of an object.
        boxed = [n for n, box in enumerate(boxes) if box is not None]
        # The first class, as in the original; all if there are no boxes.
        of_image = dict(zip(ids[:1] if boxed else ids, names, strict=False))
        labels, texts = list(of_image) or [0], list(of_image.values()) or ["empty"]
        records.put(example, "image/class/label", labels, int)
        records.put(example, "image/class/text", texts, bytes)
        if not boxed:
            return
        found = [box for box in boxes if box is not None]
        for place, side in enumerate(("ymin", "xmin", "ymax", "xmax")):
            records.put(example, _BOX + side, [box[place] for box in found], float)
        records.put(example, "image/object/class/label", [ids[n] for n in boxed], int)
        texts = [names[n] for n in boxed]
        records.put(example, "image/object/class/text", texts, bytes)
        areas = [_area(annotations[n]) for n in boxed]
        records.put(example, "image/object/area", areas, float)


def _box(
    annotation: dict[str, Any], image: dict[str, Any]
) -> tuple[float, float, float, float] | None:
    """Returns a normalized box within its image; None if there is no valid box."""
    if "bbox" not in annotation:
        return None
    x, y, width, height = (float(v) for v in annotation["bbox"])
    if width <= 0 or height <= 0:
        return None
    if x + width > image["width"] or y + height > image["height"]:
        return None
    rows, columns = float(image["height"]), float(image["width"])
    return y / rows, x / columns, (y + height) / rows, (x + width) / columns


def _area(annotation: dict[str, Any]) -> float:
    """Returns the area in pixels; by default half of the box."""
    _, _, width, height = annotation["bbox"]
    return float(annotation.get("area", width * height / 2))
