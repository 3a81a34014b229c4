"""Reading of tf.Examples in the format of the TF Object Detection API."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.data.context_features import read_context
from odapi.data.mask_encoding import decode_png_mask
from odapi.data.tfrecord.protos import example_pb2
from odapi.fields import FIELDS, MAX_DENSEPOSE_POINTS, asked_by

# Decodes a mask, given the (height, width) of the image.
MaskOf = Callable[[tuple[int, int]], np.ndarray]

SIDES = ("ymin", "xmin", "ymax", "xmax")
_TEXT, _LABEL = "image/object/class/text", "image/object/class/label"
_SCORES = "image/object/class/multiclass_scores"
_MASK = "image/object/mask"
_POINTS = "image/object/keypoint/"
DENSEPOSE = "image/object/densepose/"
OFFSET = "image/object/temporal_offset/"
_IMAGE = "image/class/"


@dataclasses.dataclass
class Example:
    """Content of a tf.Example, before classes are looked up.

    Args:
        image_id: `image/source_id`, "" if missing.
        filename: `image/filename`, or "".
        size: (height, width), or None if missing.
        names: Class name of each object; "" if missing.
        ids: `[n]` int64 class ids; -1 if missing.
        objects: Arrays of a sample, without classes and masks.
        mask_of: One mask decoder per object, or None.
        keypoint_names: Names of all keypoints of all objects, or empty.
        labeled_classes: Names and ids of the classes that the image was labeled
            for, present or absent; empty means unknown.
        context: The memory bank, see `context_features.read_context`.
    """

    image_id: str
    filename: str
    size: tuple[int, int] | None
    names: list[str]
    ids: np.ndarray
    objects: dict[str, np.ndarray]
    mask_of: list[MaskOf | None] | None
    keypoint_names: list[str] = dataclasses.field(default_factory=list)
    labeled_classes: frozenset[str | int] = frozenset()
    context: dict[str, Any] = dataclasses.field(default_factory=dict)


class ExampleError(ValueError):
    """The bytes are not a tf.Example of an image with objects."""


def parse_example(data: bytes) -> Any:
    """Returns the features of a serialized tf.Example, by name.

    Raises:
        ExampleError: The bytes are not a tf.Example.
    """
    from google.protobuf.message import DecodeError

    try:
        return example_pb2.Example.FromString(data).features.feature
    except DecodeError as error:
        raise ExampleError(f"not a tf.Example: {error}") from error


def encoded_image(features: Any) -> bytes:
    """Returns the encoded image, b"" if the example has none."""
    values = _values(features, "image/encoded")
    return bytes(values[0]) if len(values) else b""


def read_example(features: Any) -> Example:
    """Reads the description of the image and its objects.

    Raises:
        ExampleError: Features of the same objects differ in length.
    """
    sides = [_floats(features, f"image/object/bbox/{side}") for side in SIDES]
    count = len(sides[0])
    if any(len(side) != count for side in sides):
        lengths = ", ".join(f"{len(s)} {n}" for n, s in zip(SIDES, sides, strict=True))
        raise ExampleError(f"box coordinates differ in number: {lengths}")
    objects = {"boxes": np.stack(sides, -1).astype(np.float64)}
    for field in FIELDS.values():
        values = _values(features, field.feature) if field.feature else ()
        if len(values) and count:
            values = _checked(values, count, field.feature)
            objects[field.name] = np.array(values, field.dtype)
    scores = _floats(features, _SCORES)
    if len(scores) and count:
        objects["multiclass_scores"] = _rows(scores, count, _SCORES)
    objects |= _keypoints(features, count)
    objects |= _motion(features, count) | _densepose(features, count)
    size = (_integer(features, "image/height"), _integer(features, "image/width"))
    names, ids = _classes(features, count)
    return Example(
        image_id=_text(features, "image/source_id"),
        filename=_text(features, "image/filename"),
        size=size if min(size) > 1 else None,  # 1 is the original's default.
        names=names,
        ids=ids,
        objects=objects,
        mask_of=_masks(features, count, size),
        keypoint_names=_keypoint_names(features, objects),
        labeled_classes=_labeled_classes(features),
        context=_context(features),
    )


def _context(features: Any) -> dict[str, Any]:
    try:
        return read_context(features)
    except ValueError as error:
        raise ExampleError(str(error)) from error


def _labeled_classes(features: Any) -> frozenset[str | int]:
    """Returns the classes named by image-level labels, present or absent."""
    found: set[str | int] = {_decoded(t) for t in _values(features, _IMAGE + "text")}
    for feature in (_IMAGE + "label", "image/neg_category_ids"):
        found |= {int(n) for n in _values(features, feature)}
    return frozenset(found)


def _classes(features: Any, count: int) -> tuple[list[str], np.ndarray]:
    texts, labels = _values(features, _TEXT), _values(features, _LABEL)
    names = [""] * count
    if len(texts):
        names = [_decoded(t) for t in _checked(texts, count, _TEXT)]
    if len(labels) == count or not len(texts):
        ids = list(labels) or [-1] * count
        return names, np.array(_checked(ids, count, _LABEL), np.int64)
    return names, np.full(count, -1, np.int64)


def _keypoints(features: Any, count: int) -> dict[str, np.ndarray]:
    x, y = _floats(features, _POINTS + "x"), _floats(features, _POINTS + "y")
    if len(x) != len(y):
        raise ExampleError(f"{len(x)} x and {len(y)} y of keypoints")
    if not len(x) or not count:
        return {}
    points = np.stack([_rows(y, count, _POINTS), _rows(x, count, _POINTS)], -1)
    seen = _values(features, _POINTS + "visibility")
    if len(seen):
        values = _checked(seen, len(x), _POINTS + "visibility")
        visibility = np.array(values, np.float32).reshape(points.shape[:2])
    else:
        visibility = np.where(np.isfinite(points).all(-1), 2, 0).astype(np.float32)
    found = {"keypoints": points, "keypoint_visibility": visibility}
    return found | _depths(features, points)


def _depths(features: Any, points: np.ndarray) -> dict[str, np.ndarray]:
    """Returns depths and depth weights of keypoints `[n, k, 2]`."""
    depths = _floats(features, _POINTS + "z")
    if not len(depths):
        return {}
    count = points.shape[0] * points.shape[1]
    weights = _floats(features, _POINTS + "z/weights")
    weights = weights if len(weights) else np.ones(count, np.float32)
    known = {"keypoint_depths": depths, "keypoint_depth_weights": weights}
    return {
        key: _checked(values, count, _POINTS + "z").reshape(points.shape[:2])
        for key, values in known.items()
    }


def _motion(features: Any, count: int) -> dict[str, np.ndarray]:
    """Returns offsets of objects since the previous frame, and whether known."""
    sides = [_floats(features, OFFSET + side) for side in ("y", "x")]
    if not count or not len(sides[0]):
        return {}
    offsets = np.stack([_checked(s, count, OFFSET) for s in sides], -1)
    known = np.isfinite(offsets).all(-1)
    flags = _values(features, OFFSET + "known")
    if len(flags):
        known &= np.array(_checked(flags, count, OFFSET + "known"), bool)
    offsets = np.where(known[:, None], offsets, 0).astype(np.float32)
    return {"temporal_offsets": offsets, "track_match_flags": known}


def _densepose(features: Any, count: int) -> dict[str, np.ndarray]:
    """Returns DensePose points, one row per object."""
    numbers = np.array(_values(features, DENSEPOSE + "num"), np.int64)
    if not count or not len(numbers):
        return {}
    _checked(numbers, count, DENSEPOSE + "num")
    if numbers.min() < 0 or numbers.max() > MAX_DENSEPOSE_POINTS:
        raise ExampleError(f"{DENSEPOSE}num must be 0 to {MAX_DENSEPOSE_POINTS}")
    total = int(numbers.sum())
    parts = _checked(
        _values(features, DENSEPOSE + "part_index"), total, DENSEPOSE + "part_index"
    )
    columns = [
        _checked(_floats(features, DENSEPOSE + side), total, DENSEPOSE + side)
        for side in ("y", "x", "v", "u")
    ]
    found = {k: FIELDS[k].missing_values(count) for k in asked_by("load_dense_pose")}
    valid = np.arange(MAX_DENSEPOSE_POINTS) < numbers[:, None]
    found["densepose_num_points"][:] = numbers
    found["densepose_part_ids"][valid] = np.array(parts, np.int32)
    found["densepose_points"][valid] = np.stack(columns, -1)
    return found


def _keypoint_names(features: Any, objects: dict[str, np.ndarray]) -> list[str]:
    texts = _values(features, _POINTS + "text")
    if not len(texts) or "keypoints" not in objects:
        return []
    rows, columns, _ = objects["keypoints"].shape
    _checked(texts, rows * columns, _POINTS + "text")
    return [_decoded(t) for t in texts]


def _masks(
    features: Any, count: int, size: tuple[int, int]
) -> list[MaskOf | None] | None:
    values = _values(features, _MASK)
    if not count or not len(values):
        return None
    if features[_MASK].WhichOneof("kind") == "bytes_list":
        pngs = _checked(values, count, _MASK)
        return [functools.partial(_png_mask, bytes(p)) if p else None for p in pngs]
    height, width = size
    if len(values) != count * height * width:
        raise ExampleError(f"{_MASK}: {len(values)} values for {count} x {size}")
    stack = np.array(values, np.float32).reshape(count, height, width) > 0
    return [functools.partial(_as_uint8, mask) for mask in stack]


def _png_mask(data: bytes, size: tuple[int, int]) -> np.ndarray:
    return decode_png_mask(data)


def _as_uint8(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return mask.astype(np.uint8)


def _checked(values: Any, count: int, feature: str) -> Any:
    if len(values) != count:
        raise ExampleError(f"{feature}: {len(values)} values for {count}")
    return values


def _rows(values: np.ndarray, count: int, feature: str) -> np.ndarray:
    if len(values) % count:
        raise ExampleError(f"{feature}: {len(values)} values for {count} objects")
    return values.reshape(count, -1).astype(np.float32)


def _values(features: Any, name: str) -> Any:
    """Returns the values of a feature of any kind; () if it is missing."""
    if name not in features:  # Access to a missing key of a map would add it.
        return ()
    feature = features[name]
    kind = feature.WhichOneof("kind")
    return getattr(feature, kind).value if kind else ()


def _floats(features: Any, name: str) -> np.ndarray:
    try:
        return np.array(_values(features, name), np.float32)
    except (TypeError, ValueError) as error:
        raise ExampleError(f"{name} is not a list of numbers") from error


def _integer(features: Any, name: str) -> int:
    values = _values(features, name)
    try:
        return int(values[0]) if len(values) else 0
    except ValueError as error:
        raise ExampleError(f"{name} is not a number") from error


def _text(features: Any, name: str) -> str:
    values = _values(features, name)
    return _decoded(values[0]) if len(values) else ""


def _decoded(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
