"""Decoding of image files to uint8 RGB, or to RGB with additional channels."""

from collections.abc import Callable

import cv2
import numpy as np
import simplejpeg

from odapi.data.image.channels import decode_channels, with_additional
from odapi.data.image.header import Header, read_header
from odapi.data.image.limit import check_pixels
from odapi.errors import DataError
from odapi.files import is_lfs_pointer
from odapi.wording import counted

# OpenCV would print what the DataError already reports.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# Warnings of libjpeg about bytes that it can skip: no pixel is lost.
_HARMLESS = ("extraneous bytes", "Invalid SOS parameters")

# Warnings of libjpeg after which a part of the image is gray.
_LOST_PIXELS = ("Premature end", "Corrupt JPEG data")


def decode_image(
    data: bytes,
    place: str = "image",
    orient: bool = True,
    header: Header | None = None,
    notice: Callable[[], None] | None = None,
    max_pixels: int | None = None,
    channels: int = 3,
    additional: tuple[bytes, ...] = (),
) -> np.ndarray:
    """Decodes a JPEG, PNG, BMP, WebP or TIFF file, or the first frame of a GIF.

    Gray, palette and CMYK become RGB, 16 bits become 8 (the higher byte), alpha is
    dropped. The format is determined by the bytes, not by the name.

    Args:
        data: The encoded file.
        place: File or image id, for messages.
        orient: Whether to apply the EXIF orientation.
        header: Header of `data`, if already known.
        notice: Called if a JPEG has stray bytes but no pixel is lost.
        max_pixels: Limit by the header; None takes `max_image_pixels`.
        channels: Number of channels, 3 or more. Above 3, the file has them all, see
            `decode_channels`, or the others are in `additional`.
        additional: Image files of the channels after RGB, one gray image each.

    Returns:
        `[h, w, channels]` uint8.

    Raises:
        DataError: The bytes are not an image, damaged, or truncated, or the image has
            too many pixels.
    """
    if header is None:
        header = read_header(data)
    check_pixels(data, header, place, max_pixels)
    image: np.ndarray | None
    if channels > 3 and not additional:
        image = decode_channels(data, channels, header, place)
    elif header.format == "jpeg":
        image = _decode_jpeg(data, place, notice)
    else:
        image = _decode(data)
    if image is None:
        raise DataError(place, _why_not(data, header), _hint(data))
    if channels > 3 and additional:
        image = with_additional(image, additional, channels, place)
    return apply_orientation(image, header.orientation) if orient else image


def apply_orientation(image: np.ndarray, orientation: int) -> np.ndarray:
    """Applies an EXIF orientation (1 to 8) to pixels `[h, w, ...]`.

    Source: Exif 2.32, section 4.6.4, tag 274.
    """
    if orientation == 1:
        return image
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _decode_jpeg(
    data: bytes, place: str, notice: Callable[[], None] | None
) -> np.ndarray | None:
    try:
        return simplejpeg.decode_jpeg(data)
    except ValueError as error:
        harmless = any(text in str(error) for text in _HARMLESS)
        image = None
        # A partial image would teach that the gray part has no objects.
        if harmless or not any(text in str(error) for text in _LOST_PIXELS):
            # TurboJPEG also refuses valid files, as of unusual chroma subsampling.
            image = _decode(data)
        if image is None:
            raise DataError(place, f"damaged JPEG: {error}", _hint(data)) from error
        if harmless and notice:
            notice()
        return image


def _decode(data: bytes) -> np.ndarray | None:
    if not data:
        return None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _why_not(data: bytes, header: Header) -> str:
    if not data:
        return "is empty (0 bytes)"
    if is_lfs_pointer(data):
        return "is a Git LFS pointer, not the image: run `git lfs pull`"
    if _is_web_page(data):
        return "is a web page, not an image: the download failed"
    if header.format:
        return f"damaged {header.format.upper()} ({counted(len(data), 'byte')})"
    return (
        f"cannot be read as an image; it begins with {data[:12]!r}; "
        "supported are JPEG, PNG, BMP, GIF, WebP and TIFF"
    )


def _hint(data: bytes) -> str:
    if _is_web_page(data):
        return "fetch the image again"
    return "replace the file, or keep it: unusable images are skipped and counted"


def _is_web_page(data: bytes) -> bool:
    start = data[:64].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<?xml"))
