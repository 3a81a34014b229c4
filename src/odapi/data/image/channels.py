"""Decoding of images with additional channels: RGB, then further ones."""

import io

import cv2
import numpy as np

from odapi.data.image.header import NPY, Header
from odapi.errors import DataError
from odapi.wording import counted

_RAW = cv2.IMREAD_UNCHANGED


def decode_channels(
    data: bytes, channels: int, header: Header, place: str
) -> np.ndarray:
    """Decodes an image file that has all channels itself.

    Alpha of a PNG, WebP or TIFF is the fourth channel. More than four channels are
    read from the pages of a TIFF, or from a NumPy file (.npy) `[h, w, channels]`.

    Args:
        data: The encoded file.
        channels: Number of channels, above 3.
        header: Header of `data`.
        place: File or image id, for messages.

    Returns:
        `[h, w, channels]` uint8, the first three RGB; of 16 bits, the higher byte. The
        EXIF orientation is not applied.

    Raises:
        DataError: The file is damaged, or has another number of channels.
    """
    image = _npy(data, place) if header.format == NPY else _image(data, header)
    if image is None:
        raise DataError(place, f"cannot be decoded ({counted(len(data), 'byte')})")
    found = image.shape[2]
    if found != channels:
        raise DataError(
            place,
            f"has {counted(found, 'channel')} instead of {channels}",
            hint="train_input_reader.num_additional_channels is the number of channels "
            "after red, green and blue",
        )
    return _eight_bits(image, place)


def with_additional(
    image: np.ndarray, encoded: tuple[bytes, ...], channels: int, place: str
) -> np.ndarray:
    """Returns an RGB image with additional channels, which are gray images.

    Args:
        image: `[h, w, 3]` uint8, as it is stored.
        encoded: One image file per channel; colors become gray.
        channels: Number of channels of the result.
        place: File or image id, for messages.

    Raises:
        DataError: Their number or their size differs, or one is damaged.
    """
    if len(encoded) != channels - 3:
        raise DataError(
            place,
            f"has {counted(len(encoded), 'additional channel')} instead of "
            f"{channels - 3}",
        )
    planes = [image]
    for number, data in enumerate(encoded, 1):
        planes.append(decode_gray(data, f"{place}, additional channel {number}"))
        if planes[-1].shape[:2] != image.shape[:2]:
            (high, wide), (height, width) = planes[-1].shape[:2], image.shape[:2]
            raise DataError(
                place,
                f"additional channel {number} is {high} x {wide}, the image {height} x "
                f"{width}",
            )
    return np.concatenate(planes, axis=2)


def decode_gray(data: bytes, place: str) -> np.ndarray:
    """Decodes an image file to one gray channel, `[h, w, 1]` uint8.

    Raises:
        DataError: It is not an image, or damaged.
    """
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    image = None
    if data:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            image = None
    if image is None:
        raise DataError(place, f"is no image ({counted(len(data), 'byte')})")
    return image[:, :, None]


def encode_channels(image: np.ndarray) -> bytes:
    """Returns an image of any number of channels as a file without loss.

    Three and four channels are a PNG, others a NumPy file.

    Args:
        image: `[h, w, c]` uint8, the first three RGB.
    """
    if image.shape[2] in (3, 4):
        order = [2, 1, 0, *range(3, image.shape[2])]
        return cv2.imencode(".png", image[..., order])[1].tobytes()
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(image), allow_pickle=False)
    return file.getvalue()


def _image(data: bytes, header: Header) -> np.ndarray | None:
    array = np.frombuffer(data, np.uint8)
    try:
        if header.format == "tiff":
            read, pages = cv2.imdecodemulti(array, _RAW)
            if not read:
                return None
            planes = [_rgb_first(page) for page in pages]
            if len({plane.shape[:2] for plane in planes}) > 1:
                planes = planes[:1]  # Smaller versions of the image follow it.
            return np.concatenate(planes, axis=2)
        image = cv2.imdecode(array, _RAW)
    except cv2.error:
        return None
    return None if image is None else _rgb_first(image)


def _rgb_first(image: np.ndarray) -> np.ndarray:
    """Returns OpenCV's blue, green, red and alpha as `[h, w, c]`, red first."""
    if image.ndim == 2:
        return image[:, :, None]
    return image[..., [2, 1, 0, *range(3, image.shape[2])]]


def _npy(data: bytes, place: str) -> np.ndarray:
    try:
        image = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(place, f"is a damaged NumPy file: {error}") from error
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or 0 in image.shape:
        raise DataError(
            place,
            f"has the shape {list(image.shape)}; an image is [height, width, channels]",
        )
    return image


def _eight_bits(image: np.ndarray, place: str) -> np.ndarray:
    if image.dtype == np.uint16:
        return (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise DataError(
            place,
            f"has values of type {image.dtype}; needed are uint8 or uint16",
            hint="scale the values to 0..255",
        )
    return np.ascontiguousarray(image)
