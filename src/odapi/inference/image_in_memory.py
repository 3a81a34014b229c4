"""One image in memory: an array, a tensor, a PIL image, or an encoded file."""

import pathlib
from typing import Any

import numpy as np

from odapi.data.image.decode import decode_image
from odapi.errors import DataError
from odapi.inference.image_files import ReadImage

ACCEPTED = (
    "a path, folder or glob, a NumPy array [h, w, 3] uint8 RGB or a batch of them, a "
    "PIL image, the bytes of an image file, a file opened with 'rb', or a list or "
    "iterator of these"
)
_NO_PATH = pathlib.Path()


def is_array(value: Any) -> bool:
    """Returns whether a value is an array or a tensor of a backend."""
    return isinstance(value, np.ndarray) or (
        hasattr(value, "__array__") and hasattr(value, "shape")
    )


def is_one(value: Any) -> bool:
    """Returns whether a value is one image that is no array: PIL, bytes or a file."""
    return _is_pil(value) or _is_encoded(value)


def as_array(value: Any) -> np.ndarray:
    """Returns an array or a tensor as a NumPy array.

    Raises:
        DataError: It is on another device, or needs gradients.
    """
    try:
        return np.asarray(value)
    except (TypeError, RuntimeError, ValueError) as error:
        raise DataError(
            "images",
            f"a {type(value).__name__} cannot be converted to an array: {error}",
            hint="convert it, such as tensor.detach().cpu().numpy()",
        ) from error


def read(image: Any, number: int, channels: int = 3) -> ReadImage:
    """Returns an image as `[h, w, channels]` uint8, or why it cannot be decoded.

    Args:
        image: An array, a PIL image, bytes, or an open file.
        number: Counts the images, for the name of one that cannot be decoded.
        channels: Number of channels; the first three are RGB.

    Raises:
        DataError: It is none of these, or an array of another type or shape.
    """
    if is_array(image):
        array = as_array(image)
        if array.dtype == object and not array.ndim:  # A tensor of text.
            return read(array.item(), number, channels)
        return ReadImage(_NO_PATH, as_uint8(array, channels))
    if _is_pil(image):
        mode = "RGB" if channels == 3 else image.mode
        return ReadImage(_NO_PATH, as_uint8(np.asarray(image.convert(mode)), channels))
    if not _is_encoded(image):
        raise DataError(
            "images",
            f"cannot contain {type(image).__name__}",
            hint=f"accepted are {ACCEPTED}",
        )
    return _decoded(image, number, channels)


def _decoded(image: Any, number: int, channels: int) -> ReadImage:
    name = f"image {number}"
    if hasattr(image, "read"):
        given = getattr(image, "name", None)
        name = given if isinstance(given, str) else name
        image = image.read()
        if isinstance(image, str):
            raise DataError(name, "is open as text", hint="open it with 'rb'")
    try:
        pixels = decode_image(bytes(image), name, channels=channels)
        return ReadImage(_NO_PATH, pixels)
    except DataError as error:
        return ReadImage(pathlib.Path(name), None, error.problem)


def _is_pil(value: Any) -> bool:
    return hasattr(value, "convert") and hasattr(value, "mode")


def _is_encoded(value: Any) -> bool:
    if isinstance(value, bytes | bytearray | memoryview):
        return True
    return callable(getattr(value, "read", None))


def as_uint8(image: np.ndarray, channels: int = 3) -> np.ndarray:
    """Returns an image as `[h, w, channels]` uint8, with RGB first.

    For three channels, grayscale becomes RGB, and an alpha channel is dropped.

    Args:
        image: `[h, w]`, or `[h, w, c]` with 1, 3 or 4 channels, uint8; for a model of
            more channels, `[h, w, channels]`.
        channels: Number of channels that the model takes.

    Raises:
        DataError: It has another type or shape.
    """
    if image.dtype != np.uint8:
        raise _wrong_type(image)
    if channels > 3:
        if image.ndim != 3 or image.shape[2] != channels or not image.size:
            raise DataError(
                "images",
                f"must be [h, w, {channels}] uint8, got shape {image.shape}",
                hint=f"the model takes RGB and {channels - 3} additional channels",
            )
        return np.ascontiguousarray(image)
    channels = 1 if image.ndim == 2 else image.shape[-1]
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or not image.size:
        hint = "accepted are [h, w, 3], [h, w, 4] (alpha is dropped) and [h, w]"
        if image.ndim in (3, 4) and image.shape[-3] in (1, 3, 4) and image.size:
            hint = "channels come last: image.transpose(1, 2, 0)"
        raise DataError(
            "images", f"must be [h, w, 3] uint8 RGB, got shape {image.shape}", hint
        )
    if image.ndim == 2:
        image = image[..., None]
    if channels == 1:
        return np.repeat(image, 3, axis=-1)
    return np.ascontiguousarray(image[..., :3])


def _wrong_type(image: np.ndarray) -> DataError:
    problem = f"must be uint8 RGB from 0 to 255, got {image.dtype}"
    hint = "convert it: image.astype('uint8')"
    if image.size and image.dtype.kind in "fiu":
        low, high = float(np.min(image)), float(np.max(image))
        problem += f" with values from {low:g} to {high:g}"
        if image.dtype.kind == "f":
            scale = " * 255" if 0 <= low and high <= 1 else ""
            hint = f"convert it: (image{scale}).round().astype('uint8')"
    return DataError("images", problem, hint)
