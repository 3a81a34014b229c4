"""Headers of image files: format, size and EXIF orientation."""

import dataclasses
import io
import struct

import numpy as np

_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG markers with a size
_ORIENTATION = 0x0112  # EXIF tag
NPY = "npy"  # Format of NumPy files, which hold images with additional channels.


@dataclasses.dataclass(frozen=True)
class Header:
    """The header of an image file.

    Args:
        format: "jpeg", "png", "bmp", "gif", "webp", "tiff" or "npy"; "" if unknown.
        stored_size: (height, width) in pixels, as the pixels are stored; None
            if the header does not contain it.
        orientation: EXIF orientation, 1 to 8; 1 if there is none.
    """

    format: str = ""
    stored_size: tuple[int, int] | None = None
    orientation: int = 1

    @property
    def swaps_sides(self) -> bool:
        """True if the orientation exchanges height and width."""
        return self.orientation >= 5

    @property
    def shown_size(self) -> tuple[int, int] | None:
        """(height, width) after applying the EXIF orientation."""
        if self.stored_size is None or not self.swaps_sides:
            return self.stored_size
        return self.stored_size[1], self.stored_size[0]


def read_header(data: bytes) -> Header:
    """Returns the header of an encoded image; never raises.

    Args:
        data: The file, or a beginning of it that contains the header.
    """
    for magic, parse in _PARSERS:
        if data.startswith(magic):
            try:
                header = parse(data)
            except (struct.error, IndexError):  # The header is truncated.
                return Header()
            if header.stored_size and 0 in header.stored_size:  # Stored elsewhere.
                return dataclasses.replace(header, stored_size=None)
            return header
    return Header()


def _jpeg(data: bytes) -> Header:
    orientation, at = 1, 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # Fill byte.
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # Markers without a length.
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Header("jpeg", (height, width), orientation)
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _exif_orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
    return Header("jpeg", None, orientation)


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    orientation, at = 1, 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        if kind == b"eXIf":
            orientation = _exif_orientation(data[at + 8 : at + 8 + length])
        if kind in (b"eXIf", b"IEND"):
            break
        at += 12 + length
    return Header("png", (height, width), orientation)


def _bmp(data: bytes) -> Header:
    (header_size,) = struct.unpack_from("<I", data, 14)
    if header_size == 12:  # OS/2
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header("bmp", (abs(height), width))  # Negative height: stored top down.


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("gif", (height, width))


def _webp(data: bytes) -> Header:
    if data[8:12] != b"WEBP":
        return Header()
    size, orientation, at = None, 1, 12
    while at + 8 <= len(data):
        kind = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        if kind in _WEBP_SIZES and size is None:
            size = _WEBP_SIZES[kind](data, at + 8)
        if kind == b"EXIF":
            exif = data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
            orientation = _exif_orientation(exif)
        at += 8 + length + length % 2
    return Header("webp", size, orientation)


def _vp8(data: bytes, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, at + 6)
    return height & 0x3FFF, width & 0x3FFF


def _vp8l(data: bytes, at: int) -> tuple[int, int]:
    (bits,) = struct.unpack_from("<I", data, at + 1)
    return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1


def _vp8x(data: bytes, at: int) -> tuple[int, int]:
    width = int.from_bytes(data[at + 4 : at + 7], "little")
    height = int.from_bytes(data[at + 7 : at + 10], "little")
    return height + 1, width + 1


_WEBP_SIZES = {b"VP8 ": _vp8, b"VP8L": _vp8l, b"VP8X": _vp8x}


def _tiff(data: bytes) -> Header:
    tags = _tiff_tags(data, (256, 257, _ORIENTATION))
    if 256 not in tags or 257 not in tags:
        return Header("tiff")
    size = (tags[257], tags[256])
    # OpenCV always applies the orientation of TIFF files itself.
    return Header("tiff", size[::-1] if tags.get(_ORIENTATION, 1) >= 5 else size)


def _exif_orientation(tiff: bytes) -> int:
    try:
        value = _tiff_tags(tiff, (_ORIENTATION,)).get(_ORIENTATION, 1)
    except struct.error:  # Damaged metadata is no reason to lose the image.
        return 1
    return value if 1 <= value <= 8 else 1


def _tiff_tags(tiff: bytes, wanted: tuple[int, ...]) -> dict[int, int]:
    """Returns the values of short or long tags in the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return {}
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, at)
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
        if tag in wanted and kind in (3, 4):
            code = "H" if kind == 3 else "I"
            (tags[tag],) = struct.unpack_from(f"{order}{code}", tiff, entry + 8)
    return tags


def _npy(data: bytes) -> Header:
    file = io.BytesIO(data)
    try:
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(file)]
        shape, _, _ = read(file)
    except (ValueError, KeyError, EOFError):
        return Header(NPY)
    return Header(NPY, (shape[0], shape[1]) if len(shape) in (2, 3) else None)


_PARSERS = (
    (b"\xff\xd8", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"BM", _bmp),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"\x93NUMPY", _npy),
)
