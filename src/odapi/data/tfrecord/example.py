"""Reading of tf.Examples in the format of the TF Object Detection API."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.data.context_features import read_context
from odapi.data.mask_encoding import decode_png_mask
from odapi.data.tfrecord.feature_values import (
    ExampleError,
    checked,
    decoded,
    floats_of,
    integer_of,
    numbers_of,
    rows_of,
    text_of,
    values_of,
)
from odapi.data.tfrecord.keypoint_features import POINTS, Fault, read_keypoints
from odapi.data.tfrecord.protos import example_pb2
from odapi.fields import FIELDS, MAX_DENSEPOSE_POINTS, asked_by
from odapi.wording import counted

# Decodes a mask, given the (height, width) of the image.
MaskOf = Callable[[tuple[int, int]], np.ndarray]

SIDES = ("ymin", "xmin", "ymax", "xmax")
_TEXT, _LABEL = "image/object/class/text", "image/object/class/label"
_SCORES = "image/object/class/multiclass_scores"
_MASK = "image/object/mask"
ADDITIONAL_CHANNELS = "image/additional_channels/encoded"
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
        keypoint_names: `[n][k]` names of the keypoints of each object, or empty.
        labeled_classes: Names and ids of the classes that the image was labeled
            for, present or absent; empty means unknown.
        absent_classes: Those of them that are not in the image.
        not_exhaustive: Ids of the classes of which only some objects are annotated.
        context: The memory bank, see `context_features.read_context`.
        faults: (kind of problem, description) of features that were left out.
    """

    image_id: str
    filename: str
    size: tuple[int, int] | None
    names: list[str]
    ids: np.ndarray
    objects: dict[str, np.ndarray]
    mask_of: list[MaskOf | None] | None
    keypoint_names: list[list[str]] = dataclasses.field(default_factory=list)
    labeled_classes: frozenset[str | int] = frozenset()
    absent_classes: frozenset[str | int] = frozenset()
    not_exhaustive: frozenset[str | int] = frozenset()
    context: dict[str, Any] = dataclasses.field(default_factory=dict)
    faults: list[Fault] = dataclasses.field(default_factory=list)


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
    """Returns the encoded image, b"" if the example has none.

    Raises:
        ExampleError: It is not bytes.
    """
    values = values_of(features, "image/encoded")
    if len(values) and not isinstance(values[0], bytes):
        raise ExampleError("image/encoded is not bytes")
    return values[0] if len(values) else b""


def additional_images(features: Any) -> tuple[bytes, ...]:
    """Returns the encoded images of additional channels; empty if there are none.

    Raises:
        ExampleError: They are not bytes.
    """
    values = values_of(features, ADDITIONAL_CHANNELS)
    if any(not isinstance(value, bytes) for value in values):
        raise ExampleError(f"{ADDITIONAL_CHANNELS} is not bytes")
    return tuple(values)


def read_example(features: Any) -> Example:
    """Reads the description of the image and its objects.

    Masks and keypoints that do not fit the objects are left out.

    Raises:
        ExampleError: Other features of the same objects differ in length, or values
            are not of the type of their feature.
    """
    encoded_image(features)
    additional_images(features)
    boxes = _boxes(features)
    count, faults = len(boxes), list[Fault]()
    objects = {"boxes": boxes}
    for field in FIELDS.values():
        if field.feature and count:
            values = numbers_of(features, field.feature, field.dtype)
            if len(values):
                objects[field.name] = checked(values, count, field.feature)
    scores = floats_of(features, _SCORES)
    if len(scores) and count:
        objects["multiclass_scores"] = rows_of(scores, count, _SCORES)
    points, keypoint_names = read_keypoints(features, count, faults)
    objects |= points
    objects |= _motion(features, count) | _densepose(features, count)
    size = (integer_of(features, "image/height"), integer_of(features, "image/width"))
    names, ids = _classes(features, count)
    absent = _absent_classes(features)
    return Example(
        image_id=text_of(features, "image/source_id"),
        filename=text_of(features, "image/filename"),
        size=size if min(size) > 1 else None,  # 1 is the original's default.
        names=names,
        ids=ids,
        objects=objects,
        mask_of=_masks(features, count, size, faults),
        keypoint_names=keypoint_names,
        labeled_classes=_present_classes(features) | absent,
        absent_classes=absent,
        not_exhaustive=_not_exhaustive(features),
        context=_context(features),
        faults=faults,
    )


def _boxes(features: Any) -> np.ndarray:
    """Returns `[n, 4]`; NaN for objects with masks or keypoints in place of boxes."""
    sides = [floats_of(features, f"image/object/bbox/{side}") for side in SIDES]
    count = len(sides[0])
    if any(len(side) != count for side in sides):
        lengths = ", ".join(f"{len(s)} {n}" for n, s in zip(SIDES, sides, strict=True))
        raise ExampleError(f"box coordinates differ in number: {lengths}")
    if not count and any(len(values_of(features, f)) for f in (_MASK, POINTS + "x")):
        objects = max(len(values_of(features, _TEXT)), len(values_of(features, _LABEL)))
        return np.full((objects, 4), np.nan)
    return np.stack(sides, -1).astype(np.float64)


def _context(features: Any) -> dict[str, Any]:
    try:
        return read_context(features)
    except ValueError as error:
        raise ExampleError(str(error)) from error


def _image_labels(features: Any) -> list[tuple[str | int, bool]]:
    """Returns names, and ids, of image-level labels, and whether each is present."""
    texts = [decoded(t) for t in values_of(features, _IMAGE + "text")]
    ids = numbers_of(features, _IMAGE + "label", "int64").tolist()
    confidences = floats_of(features, _IMAGE + "confidence")
    found: list[tuple[str | int, bool]] = []
    for keys in (texts, ids):
        # Without a confidence per label, all are taken as present.
        given = len(confidences) == len(keys)
        present = confidences > 0 if given else np.ones(len(keys), bool)
        found += zip(keys, present.tolist(), strict=True)
    return found


def _present_classes(features: Any) -> frozenset[str | int]:
    """Returns the classes that image-level labels mark as present."""
    return frozenset(key for key, present in _image_labels(features) if present)


def _absent_classes(features: Any) -> frozenset[str | int]:
    """Returns the classes that were looked for, but are not in the image."""
    negative = numbers_of(features, "image/neg_category_ids", "int64").tolist()
    absent = {key for key, present in _image_labels(features) if not present}
    return frozenset(absent | set(negative))


def _not_exhaustive(features: Any) -> frozenset[str | int]:
    """Returns the ids of classes of which only some objects are annotated."""
    ids = numbers_of(features, "image/not_exhaustive_category_ids", "int64")
    return frozenset(ids.tolist())


def _classes(features: Any, count: int) -> tuple[list[str], np.ndarray]:
    texts, labels = values_of(features, _TEXT), numbers_of(features, _LABEL, "int64")
    names = [""] * count
    if len(texts):
        names = [decoded(t) for t in checked(texts, count, _TEXT)]
    if len(labels) == count or not len(texts):
        ids = labels if len(labels) else np.full(count, -1)
        return names, checked(ids, count, _LABEL).astype(np.int64)
    return names, np.full(count, -1, np.int64)


def _motion(features: Any, count: int) -> dict[str, np.ndarray]:
    """Returns offsets of objects since the previous frame, and whether known."""
    sides = [floats_of(features, OFFSET + side) for side in ("y", "x")]
    if not count or not len(sides[0]):
        return {}
    offsets = np.stack([checked(s, count, OFFSET) for s in sides], -1)
    known = np.isfinite(offsets).all(-1)
    flags = numbers_of(features, OFFSET + "known", "int64")
    if len(flags):
        known &= checked(flags, count, OFFSET + "known").astype(bool)
    offsets = np.where(known[:, None], offsets, 0).astype(np.float32)
    return {"temporal_offsets": offsets, "track_match_flags": known}


def _densepose(features: Any, count: int) -> dict[str, np.ndarray]:
    """Returns DensePose points, one row per object."""
    numbers = numbers_of(features, DENSEPOSE + "num", "int64")
    if not count or not len(numbers):
        return {}
    checked(numbers, count, DENSEPOSE + "num")
    if numbers.min() < 0 or numbers.max() > MAX_DENSEPOSE_POINTS:
        raise ExampleError(f"{DENSEPOSE}num must be 0 to {MAX_DENSEPOSE_POINTS}")
    total = int(numbers.sum())
    parts = checked(
        numbers_of(features, DENSEPOSE + "part_index", "int32"),
        total,
        DENSEPOSE + "part_index",
    )
    columns = [
        checked(floats_of(features, DENSEPOSE + side), total, DENSEPOSE + side)
        for side in ("y", "x", "v", "u")
    ]
    found = {k: FIELDS[k].missing_values(count) for k in asked_by("load_dense_pose")}
    valid = np.arange(MAX_DENSEPOSE_POINTS) < numbers[:, None]
    found["densepose_num_points"][:] = numbers
    found["densepose_part_ids"][valid] = parts
    found["densepose_points"][valid] = np.stack(columns, -1)
    return found


def _masks(
    features: Any, count: int, size: tuple[int, int], faults: list[Fault]
) -> list[MaskOf | None] | None:
    found = values_of(features, _MASK)
    if not count or not len(found):
        return None
    height, width = size
    is_png = features[_MASK].WhichOneof("kind") == "bytes_list"
    expected = count if is_png else count * height * width
    if len(found) != expected:
        of = counted(count, "object") if is_png else f"{count} x {size}"
        faults.append(
            ("malformed mask", f"{_MASK}: {counted(len(found), 'value')} for {of}")
        )
        return None
    if is_png:
        return [functools.partial(_png_mask, bytes(p)) if p else None for p in found]
    stack = np.array(found, np.float32).reshape(count, height, width) > 0
    return [functools.partial(_as_uint8, mask) for mask in stack]


def _png_mask(data: bytes, size: tuple[int, int]) -> np.ndarray:
    return decode_png_mask(data)


def _as_uint8(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return mask.astype(np.uint8)
