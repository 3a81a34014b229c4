"""COCO annotations as arrays: boxes, crowds, masks, keypoints."""

import functools
import math
from typing import Any

import numpy as np

from odapi.data.clean import annotated_size
from odapi.data.mask_encoding import as_polygons, decode_segmentation
from odapi.data.numbers import number_of
from odapi.data.object_masks import lack_boxes
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf, Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.coco_content import Json
from odapi.data.sources.coco_keypoints import KeypointReader
from odapi.data.sources.lvis_fields import labeled_classes

Box = tuple[float, float, float, float]  # Pixels: y_min, x_min, y_max, x_max.
_NO_BOX = (math.nan, math.nan, math.nan, math.nan)
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}

# Fields of annotations beyond COCO's own: key of a sample -> field, default, dtype.
EXTRA_FIELDS: dict[str, tuple[str, Any, type]] = {
    "difficult": ("difficult", 0, bool),
    "group_of": ("group_of", 0, bool),
    "weights": ("weight", 1.0, np.float32),
    "track_ids": ("track_id", -1, np.int32),
}


class AnnotationReader:
    """Converts COCO annotations to arrays.

    Args:
        content: The content of the file, validated.
        index: Looks up classes by name and id.
        problems: Counts malformed annotations.
        load_masks: Whether samples get masks.
    """

    def __init__(
        self, content: Json, index: ClassIndex, problems: Problems, load_masks: bool
    ):
        self.load_masks = load_masks
        self.names = {c.get("id"): str(c.get("name")) for c in content["categories"]}
        self.index = index
        self.problems = problems
        self.keypoints = KeypointReader(content, index.label_map, index.name, problems)

    def raw(self, image: Json, image_id: str, annotations: list[Json]) -> Raw:
        """Returns the annotations of one image."""
        classes: list[int] = []
        boxes: list[Box] = []
        kept: list[Json] = []
        for annotation in annotations:
            where = f"{image['file_name']}, annotation {annotation.get('id', '?')}"
            box = _box(annotation.get("bbox"))
            if box is None and has_shape(annotation):
                box = _NO_BOX  # Taken from the mask or the keypoints.
            if box is None:
                self.problems.found("malformed box", where)
                continue
            index = self._class(annotation.get("category_id"), where)
            if index == UNKNOWN:
                continue
            classes.append(index)
            boxes.append(box)
            kept.append(annotation)
        labeled = labeled_classes(
            image, classes, self.names, self.index.label_map, self.problems
        )
        sides = [number_of(image.get(side)) for side in ("height", "width")]
        return Raw(
            image_id=image_id,
            filename=image["file_name"],
            size=annotated_size(*sides),
            objects=self._objects(kept, classes, boxes, image["file_name"]) | labeled,
            mask_of=self._mask_decoders(kept, boxes),
        )

    def _class(self, category_id: Any, where: str) -> int:
        if category_id in self.names:
            return self.index.of_name(self.names[category_id], where)
        if isinstance(category_id, int) and category_id != -1:
            return self.index.of_id(category_id, where)
        if category_id in self.names.values():  # Some tools write the name.
            return self.index.of_name(category_id, where)
        shown = "" if category_id in (None, -1) else f" (category_id {category_id!r})"
        self.problems.found("object without class", where + shown)
        return UNKNOWN

    def _objects(
        self,
        annotations: list[Json],
        classes: list[int],
        boxes: list[Box],
        name: str,
    ) -> dict[str, np.ndarray]:
        def numbers(field: str, default: float, dtype: type = float) -> np.ndarray:
            limit = np.iinfo(np.int32).max if dtype is np.int32 else _MAX_FLOAT32
            found = [self._number(a, field, default, name, limit) for a in annotations]
            return np.array(found).astype(dtype)

        corners = np.array(boxes, np.float64).reshape(-1, 4)
        area = numbers("area", math.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # Counted when cleaned.
            of_box = (corners[:, 2:] - corners[:, :2]).prod(1)
        of_box[lack_boxes(corners)] = math.nan
        objects: dict[str, np.ndarray] = {
            "boxes": corners,
            "classes": np.array(classes, np.int32),
            "is_crowd": numbers("iscrowd", 0, bool),
            "area": np.where(np.isnan(area), of_box, area).astype(np.float32),
        }
        for key, (field, default, dtype) in EXTRA_FIELDS.items():
            if any(field in a for a in annotations):
                objects[key] = numbers(field, default, dtype)
        return objects | self.keypoints.objects(annotations, classes, name)

    def _number(
        self, annotation: Json, field: str, default: float, name: str, limit: float
    ) -> float:
        """Returns the number in a field, also if written as text."""
        value = annotation.get(field)
        if value is None:
            return default
        if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
            return _BOOLEANS[value.strip().lower()]
        number = number_of(value)
        if abs(number) <= limit:
            return number
        where = f"{name}, annotation {annotation.get('id', '?')}: {field} {value!r}"
        self.problems.found("malformed number", where)
        return default

    def _mask_decoders(
        self, annotations: list[Json], boxes: list[Box]
    ) -> list[MaskOf | None] | None:
        """Returns decoders of masks; without masks, those of objects without a box."""
        wanted = np.full(len(boxes), self.load_masks)
        wanted |= lack_boxes(np.array(boxes, np.float64).reshape(-1, 4))
        if not wanted.any():
            return None
        return [
            _mask_decoder(a.get("segmentation")) if want else None
            for a, want in zip(annotations, wanted, strict=True)
        ]


def has_shape(annotation: Json) -> bool:
    """Returns whether an annotation has a mask or keypoints, which give its box."""
    return bool(annotation.get("segmentation") or annotation.get("keypoints"))


def _box(bbox: Any) -> Box | None:
    """Returns pixels `(y_min, x_min, y_max, x_max)` of `[x, y, width, height]`."""
    if not isinstance(bbox, list) or len(bbox) != 4:
        return None
    try:
        x, y, width, height = (math.nan if v is None else float(v) for v in bbox)
    except (TypeError, ValueError, OverflowError):
        return None
    return y, x, y + height, x + width


def _mask_decoder(segmentation: Any) -> MaskOf | None:
    if not segmentation:
        return None
    if not isinstance(segmentation, dict):
        try:  # Arrays take half the memory of lists.
            segmentation = as_polygons(segmentation)
        except (TypeError, ValueError, OverflowError):
            pass  # Counted as malformed when decoded.
    return functools.partial(decode_segmentation, segmentation)
