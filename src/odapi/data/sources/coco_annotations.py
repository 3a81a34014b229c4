"""COCO annotations as arrays: boxes, crowds, masks, keypoints."""

import functools
from typing import Any

import numpy as np

from odapi.data.mask_encoding import decode_segmentation
from odapi.data.problems import Problems
from odapi.data.sources.base import MaskOf, Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.coco_keypoints import KeypointReader

Json = dict[str, Any]

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
        boxes: list[tuple[float, float, float, float]] = []
        kept: list[Json] = []
        for annotation in annotations:
            where = f"{image['file_name']}, annotation {annotation.get('id', '?')}"
            box = _box(annotation["bbox"])
            if box is None:
                self.problems.found("malformed box", where)
                continue
            index = self._class(annotation.get("category_id"), where)
            if index == UNKNOWN:
                continue
            classes.append(index)
            boxes.append(box)
            kept.append(annotation)
        size = (image.get("height"), image.get("width"))
        known = all(isinstance(s, (int, float)) and s > 0 for s in size)
        return Raw(
            image_id=image_id,
            filename=image["file_name"],
            size=(int(size[0]), int(size[1])) if known else None,  # type: ignore[arg-type]
            objects=self._objects(kept, classes, boxes, image["file_name"]),
            mask_of=_mask_decoders(kept) if self.load_masks else None,
        )

    def _class(self, category_id: Any, where: str) -> int:
        if category_id in self.names:
            return self.index.of_name(self.names[category_id], where)
        if category_id is None or category_id == -1:
            self.problems.found("object without class", where)
            return UNKNOWN
        return self.index.of_id(int(category_id), where)

    def _objects(
        self,
        annotations: list[Json],
        classes: list[int],
        boxes: list[tuple[float, float, float, float]],
        name: str,
    ) -> dict[str, np.ndarray]:
        objects: dict[str, np.ndarray] = {
            "boxes": np.array(boxes, np.float64).reshape(-1, 4),
            "classes": np.array(classes, np.int32),
            "is_crowd": np.array(
                [bool(a.get("iscrowd", 0)) for a in annotations], bool
            ),
            **_extras(annotations),
            "area": np.array(
                [
                    a.get("area", (b[2] - b[0]) * (b[3] - b[1]))
                    for a, b in zip(annotations, boxes, strict=True)
                ],
                np.float32,
            ),
        }
        return objects | self.keypoints.objects(annotations, classes, name)


def _extras(annotations: list[Json]) -> dict[str, np.ndarray]:
    """Returns fields beyond COCO's own, as `odapi data convert` writes them."""
    return {
        key: np.array([a.get(field, default) for a in annotations], dtype)
        for key, (field, default, dtype) in EXTRA_FIELDS.items()
        if any(field in a for a in annotations)
    }


def _box(bbox: Any) -> tuple[float, float, float, float] | None:
    """Returns pixels `(y_min, x_min, y_max, x_max)` of `[x, y, width, height]`."""
    try:
        x, y, width, height = (float("nan") if v is None else float(v) for v in bbox)
    except (TypeError, ValueError):
        return None
    return y, x, y + height, x + width


def _mask_decoders(annotations: list[Json]) -> list[MaskOf | None]:
    decoders: list[MaskOf | None] = []
    for annotation in annotations:
        segmentation = annotation.get("segmentation")
        if not segmentation:
            decoders.append(None)
            continue
        if not isinstance(segmentation, dict):  # Arrays take half the memory of lists.
            segmentation = _as_arrays(segmentation)
        decoders.append(functools.partial(decode_segmentation, segmentation))
    return decoders


def _as_arrays(polygons: Any) -> Any:
    try:
        return [np.asarray(p, np.float64) for p in polygons]
    except (TypeError, ValueError):
        return polygons  # Counted as malformed when decoded.
