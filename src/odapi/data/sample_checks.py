"""Validation of samples that user code made in Python."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.sample import Sample
from odapi.errors import DataError, did_you_mean
from odapi.fields import (
    FIELDS,
    IMAGE_CLASSES,
    REQUIRED,
    Field,
    Motion,
    per_keypoint,
)
from odapi.wording import counted

# Keys of a sample besides the fields of its objects.
OTHER_KEYS = (
    "image", "image_id", "filename", "size", "original_size", *IMAGE_CLASSES,
    "context_features", "context_image_ids",
)  # fmt: skip

_KINDS = {"f": "fui", "i": "ui", "u": "uib", "b": "b"}
_KIND_NAMES = {"f": "numbers", "i": "integers", "u": "0 and 1", "b": "booleans"}


class InvalidSampleError(DataError):
    """A sample made in Python is not of the documented form; never skipped."""


def check_sample(sample: Any, place: str, known: Iterable[str] = ()) -> Sample:
    """Returns a sample whose fields have the documented types.

    Numbers are converted where nothing is lost: float64 boxes become float32, int64
    classes int32, lists arrays.

    Args:
        sample: As user code made it, with an `image` or without.
        place: Its origin, for messages.
        known: Further keys that are allowed.

    Raises:
        InvalidSampleError: A key is missing or unknown, or its value has another
            shape, type or range than documented; names the place and the key.
    """
    if not isinstance(sample, dict):
        raise InvalidSampleError(
            place, f"must be a dict, got {type(sample).__name__}",
            hint='return {"image": ..., "boxes": ..., "classes": ...}',
        )  # fmt: skip
    allowed = {*FIELDS, *OTHER_KEYS, *known}
    for key in sample.keys() - allowed:
        hint = did_you_mean(str(key), allowed)
        raise InvalidSampleError(place, f"unknown key {key!r}", hint=hint)
    for key in REQUIRED:
        if key not in sample:
            raise InvalidSampleError(place, f"has no {key!r}")
    checked = dict(sample)
    size = None
    if "image" in sample:
        checked["image"] = check_image(sample["image"], place)
        size = checked["image"].shape[:2]
    count = len(_array(sample["boxes"], place, "boxes"))
    for key, value in sample.items():
        if key in FIELDS:
            checked[key] = _checked(FIELDS[key], value, count, size, place)
    if count and "keypoints" in checked:
        _check_keypoints(checked, place)
    return checked


def _check_keypoints(sample: Mapping[str, Any], place: str) -> None:
    """Checks that all fields have as many keypoints as `keypoints`."""
    expected = sample["keypoints"].shape[1]
    for key in sample.keys() & set(per_keypoint()):
        found = sample[key].shape[1]
        if found != expected:
            raise _wrong(
                place,
                key,
                f"must have {counted(expected, 'keypoint')} per box, got {found}",
            )


def check_image(image: Any, place: str) -> np.ndarray:
    """Returns an image that is uint8 `[h, w, 3]`, or has additional channels.

    Raises:
        InvalidSampleError: It has another type or shape, or no pixels.
    """
    image = _array(image, place, "image")
    if image.dtype != np.uint8:
        raise _wrong(
            place, "image", f"must be uint8 in 0..255, got {image.dtype}",
            "image.round().clip(0, 255).astype(np.uint8)",
        )  # fmt: skip
    if image.ndim != 3 or image.shape[2] < 3 or 0 in image.shape:
        raise _wrong(
            place, "image", f"must be [height, width, 3], got {list(image.shape)}"
        )
    return image


def _checked(
    field: Field, value: Any, count: int, size: tuple[int, ...] | None, place: str
) -> Any:
    if isinstance(value, LazyMasks):
        if len(value) != count or (size and value.shape[1:] != size):
            raise _wrong_shape(field, value.shape, count, place, size)
        return value
    array = _array(value, place, field.name)
    array = _converted(field, array, place)
    if not count and not array.size:  # An empty list has no further axes.
        if array.ndim < 2 and field.shape:
            empty = (s if isinstance(s, int) else 0 for s in field.shape)
            array = array.reshape(0, *empty)
        return array
    fixed: list[int | None] = [s if isinstance(s, int) else None for s in field.shape]
    if field.motion is Motion.IMAGE and size:
        fixed = list(size)
    sides = array.shape[1:]
    fits = len(sides) == len(fixed) and all(
        want in (None, side) for want, side in zip(fixed, sides, strict=True)
    )
    if array.ndim < 1 or len(array) != count or not fits:
        raise _wrong_shape(field, array.shape, count, place, size)
    _check_values(field, array, place)
    return array


def _converted(field: Field, array: np.ndarray, place: str) -> np.ndarray:
    kind = np.dtype(field.dtype).kind
    if array.size and array.dtype.kind not in _KINDS[kind]:
        raise _wrong(
            place, field.name,
            f"must be {_KIND_NAMES[kind]} ({field.dtype}), got {array.dtype}",
        )  # fmt: skip
    return array.astype(field.dtype, copy=False)


def _check_values(field: Field, array: np.ndarray, place: str) -> None:
    name = field.name
    if array.dtype.kind == "f":
        finite = np.isfinite(array)
        if np.isnan(field.missing):
            finite |= np.isnan(array)
        if not finite.all():
            raise _wrong(place, name, "must be finite, got NaN or infinity")
    if field.motion is Motion.BOX:
        low, high = array[:, :2], array[:, 2:]
        if (low > high).any():
            raise _wrong(
                place, name,
                "must be [y_min, x_min, y_max, x_max] with min <= max, got "
                f"{array[(low > high).any(axis=1)][0].tolist()}",
            )  # fmt: skip
        if array.size and np.abs(array).max() > _MAX_NORMALIZED:
            raise _wrong(
                place, name, "must be normalized to 0..1, got "
                f"{np.abs(array).max():g}", "divide pixels by the height and width",
            )  # fmt: skip
    if name == "classes" and array.size and array.min() < 0:
        raise _wrong(place, name, f"must count from 0, got {array.min()}")
    if field.motion is Motion.IMAGE and array.size and array.max() > 1:
        raise _wrong(place, name, f"must be 0 or 1, got {array.max()}")


# Boxes may exceed the image, as after a crop that does not clip them.
_MAX_NORMALIZED = 10.0


def _array(value: Any, place: str, key: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise _wrong(place, key, f"is no array: {error}") from error
    if array.dtype == object:
        raise _wrong(place, key, f"must be an array, got {type(value).__name__}")
    return array


def _wrong_shape(
    field: Field,
    shape: tuple[int, ...],
    count: int,
    place: str,
    size: tuple[int, ...] | None,
) -> InvalidSampleError:
    sides = size if size and field.motion is Motion.IMAGE else field.shape
    wanted = ", ".join(str(side) for side in (count, *sides))
    return _wrong(
        place, field.name,
        f"must have one row per box, [{wanted}], got {list(shape)}",
    )  # fmt: skip


def _wrong(place: str, key: str, problem: str, hint: str = "") -> InvalidSampleError:
    return InvalidSampleError(f"{place}[{key!r}]", problem, hint)
