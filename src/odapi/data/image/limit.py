"""Limit on the pixels of an image, checked by its header before it is decoded."""

import os
import re
import struct

from odapi.data.image.header import Header
from odapi.errors import DataError

MAX_MEGAPIXELS = 179  # As Pillow: a few kilobytes can claim gigabytes of pixels.
_VARIABLE = "ODAPI_MAX_MEGAPIXELS"
_HINT = (
    "if it is an image of yours, raise the limit: ODAPI_MAX_MEGAPIXELS=N for any "
    "command, or --set options.data_loading.max_image_megapixels=N for the data of a "
    "config"
)


def max_image_pixels() -> int:
    """Returns the limit: that of the environment variable, or `MAX_MEGAPIXELS`.

    Raises:
        DataError: The variable is not a number above 0.
    """
    given = os.environ.get(_VARIABLE, "")
    if not given:
        return MAX_MEGAPIXELS * 1_000_000
    if not re.fullmatch(r"0*[1-9]\d{0,8}", given):
        raise DataError(
            _VARIABLE,
            f"must be a whole number of megapixels, from 1, got {given!r}",
            hint=f"the default is {MAX_MEGAPIXELS}",
        )
    return int(given) * 1_000_000


def check_pixels(data: bytes, header: Header, place: str, limit: int | None) -> None:
    """Refuses an image that claims too many pixels.

    Args:
        data: The encoded file.
        header: Its header.
        place: File or image id, for messages.
        limit: Maximum number of pixels; None takes `max_image_pixels`.

    Raises:
        DataError: It has more pixels.
    """
    height, width = header.stored_size or _claimed_size(data)
    limit = max_image_pixels() if limit is None else limit
    if abs(height) * abs(width) > limit:
        raise DataError(
            place,
            f"has {abs(width)} x {abs(height)} pixels; at most "
            f"{limit // 1_000_000} megapixels are decoded",
            _HINT,
        )


def _claimed_size(data: bytes) -> tuple[int, int]:
    """Returns (height, width) of formats without a parsed header; (0, 0) if unknown."""
    netpbm = _NETPBM.match(data)
    if netpbm:
        return int(netpbm[2][:20]), int(netpbm[1][:20])
    for box, skipped, is_width_first in ((b"ihdr", 4, False), (b"ispe", 8, True)):
        at = data.find(box, 0, 1 << 16)
        if at >= 0 and at + skipped + 8 <= len(data):
            first, second = struct.unpack_from(">II", data, at + skipped)
            return (second, first) if is_width_first else (first, second)
    return 0, 0


_GAP = rb"(?:\s|#[^\n]*\n)+"
_NETPBM = re.compile(rb"P[1-7]" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)")
