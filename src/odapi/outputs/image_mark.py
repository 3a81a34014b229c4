"""The mark in image files of odapi, by which a later call may replace them.

It is a comment in the file, which programs ignore: of JPEG and PNG files only.
"""

import os
import pathlib
import zlib

_MARK = b"Written by odapi"
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 33  # Bytes of the signature and the first chunk.
_SEARCHED = 512  # Bytes at the start of a file.


def mark_image(data: bytes) -> bytes:
    """Returns the bytes of a JPEG or PNG file with the mark; others unchanged."""
    if data.startswith(_PNG):
        body = b"tEXtSoftware\0" + _MARK
        chunk = (len(body) - 4).to_bytes(4, "big") + body
        chunk += zlib.crc32(body).to_bytes(4, "big")
        return data[:_PNG_HEADER] + chunk + data[_PNG_HEADER:]
    if data.startswith(_JPEG):
        segment = b"\xff\xfe" + (len(_MARK) + 2).to_bytes(2, "big") + _MARK
        place = 2
        if data[2:4] == b"\xff\xe0":  # JFIF, which comes first.
            place = 4 + int.from_bytes(data[4:6], "big")
        return data[:place] + segment + data[place:]
    return data


def is_marked(path: pathlib.Path) -> bool:
    """Returns whether a file is an image that odapi wrote."""
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        start = file.read(_SEARCHED)
    return start.startswith((_PNG, _JPEG)) and _MARK in start
