"""Inputs and groundtruth of a detector, as users may give them.

Everything is checked by names and shapes alone, which are known while a step is
compiled: an error appears at the first step, in Python.
"""

from collections.abc import Collection, Mapping
from typing import Any

import keras
from keras import ops

from odapi.errors import DataError, did_you_mean
from odapi.fields import FIELDS, LABELED_CLASSES, REQUIRED
from odapi.structures import Groundtruth, Tensor

IMAGES, TRUE_SIZE = "images", "true_size"

# Lengths in the shapes of `fields.FIELDS`, in words.
_LENGTHS = {"k": "keypoints", "h": "height", "w": "width", "c": "classes + 1"}
_HINT = "see docs/keras.md for the form of a dataset"


def as_inputs(x: Any, channels: int = 3) -> dict[str, Tensor]:
    """Returns the input dict of a detector.

    Args:
        x: The dict, or images `[b, h, w, channels]` alone.
        channels: Channels of the images; instead of 3, images may have 1.

    Raises:
        DataError: There are no images, or their shape is wrong.
    """
    inputs = dict(x) if isinstance(x, Mapping) else {IMAGES: x}
    if IMAGES not in inputs:
        raise DataError(
            "inputs",
            f"have no {IMAGES!r}, but {sorted(inputs)}",
            hint=f"give an array [b, h, w, {channels}], or a dict with 'images'",
        )
    shape = _shape(inputs[IMAGES])
    allowed = (1, 3, None) if channels == 3 else (channels, None)
    if len(shape) != 4 or shape[3] not in allowed:
        raise DataError(
            f"inputs[{IMAGES!r}]",
            f"must have the shape [b, height, width, {channels}], got {list(shape)}",
            hint="one image is a batch of one: image[None]"
            if len(shape) == 3
            else "images are RGB, channels last"
            + (f", then {channels - 3} additional channels" if channels > 3 else ""),
        )
    return inputs


def as_groundtruth(y: Any, fields: Collection[str] = ()) -> Groundtruth:
    """Returns the groundtruth that `fit` got.

    Args:
        y: Its fields by name: `boxes [b, n, 4]` and `classes [b, n]`, and those that
            the loss reads. Without `valid`, boxes without area are padding; without
            `weights`, every object counts 1.
        fields: Optional fields of `Groundtruth` that the loss reads.

    Raises:
        DataError: A field is missing or unknown, or its shape is wrong.
    """
    if not isinstance(y, Mapping):
        raise DataError(
            "groundtruth",
            f"must be a dict of arrays, got {type(y).__name__}",
            hint=_HINT,
        )
    y = {name: value for name, value in y.items() if value is not None}
    check_groundtruth(y, fields)
    boxes = ops.cast(y["boxes"], "float32")
    valid = y.get("valid")
    if valid is None:
        valid = ops.all(boxes[..., 2:] > boxes[..., :2], axis=-1)
    weights = y.get("weights")
    if weights is None:
        weights = ops.ones(ops.shape(boxes)[:2], "float32")
    valid = ops.cast(valid, "bool")
    own = {
        "boxes": boxes,
        "classes": ops.cast(y["classes"], "int32"),
        "valid": valid,
        "weights": ops.cast(weights, "float32") * ops.cast(valid, "float32"),
    }
    return Groundtruth(**{**y, **own})


def check_groundtruth(y: Mapping[str, Any], fields: Collection[str] = ()) -> None:
    """Checks names and shapes of groundtruth, see `as_groundtruth`."""
    for name in y:
        if name not in Groundtruth._fields:
            raise DataError(
                f"groundtruth[{name!r}]",
                f"is no field of groundtruth; fields are {', '.join(_known(fields))}",
                hint=did_you_mean(name, Groundtruth._fields) or _HINT,
            )
    for name in (*REQUIRED, *(f for f in fields if f in FIELDS and FIELDS[f].hint)):
        # A field with a hint is one that a loss cannot do without.
        if name not in y:
            raise DataError(
                "groundtruth",
                f"has no {name!r}, which the loss needs: [{_form(name)}]; "
                f"it has {sorted(y)}",
                hint=_HINT,
            )
    batch, objects = [*_shape(y["boxes"]), None, None][:2]
    for name, value in y.items():
        _check_shape(name, _shape(value), {"b": batch, "n": objects})


def _check_shape(
    name: str, shape: tuple[int | None, ...], sizes: Mapping[str, int | None]
) -> None:
    expected = _axes(name)
    fits = len(shape) == len(expected)
    for axis, length in zip(expected, shape, strict=False):
        wanted = axis if isinstance(axis, int) else sizes.get(axis)
        fits = fits and (wanted is None or length is None or length == wanted)
    if not fits:
        known = ", ".join(f"{k} = {v}" for k, v in sizes.items() if v is not None)
        raise DataError(
            f"groundtruth[{name!r}]",
            f"must have the shape [{_form(name)}] with {known} as in 'boxes', "
            f"got {list(shape)}"
            if name != "boxes"
            else f"must have the shape [{_form(name)}], got {list(shape)}",
            hint=_HINT,
        )


def _axes(name: str) -> tuple[int | str, ...]:
    if name == LABELED_CLASSES:
        return ("b", "classes")
    shape = FIELDS[name].shape if name in FIELDS else ()
    return ("b", "n", *(_LENGTHS.get(str(axis), axis) for axis in shape))


def _form(name: str) -> str:
    return ", ".join(map(str, _axes(name)))


def _known(fields: Collection[str]) -> list[str]:
    return [*REQUIRED, "valid", "weights", *sorted(set(fields))]


def _shape(value: Any) -> tuple[int | None, ...]:
    if not hasattr(value, "shape"):
        value = keras.ops.convert_to_tensor(value)
    return tuple(value.shape)
