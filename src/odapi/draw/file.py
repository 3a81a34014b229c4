"""Saving and encoding of images."""

import pathlib

import cv2
import numpy as np

from odapi.errors import DataError
from odapi.files import write_bytes
from odapi.outputs.image_mark import mark_image

_OPTIONS = {kind: (cv2.IMWRITE_JPEG_QUALITY, 92) for kind in (".jpg", ".jpeg")}


def save_image(
    path: str | pathlib.Path, image: np.ndarray, marked: bool = True
) -> pathlib.Path:
    """Writes an RGB image `[h, w, 3]` uint8; the suffix selects the format.

    Folders are made as needed.

    Args:
        path: The file.
        image: The image.
        marked: Whether JPEG and PNG files get the mark of odapi, with which a later
            drawing may replace them: not those of datasets and crops.

    Raises:
        DataError: The suffix is unknown, or the file cannot be written.
    """
    path = pathlib.Path(path)
    data = encode_image(image, path.suffix or ".png", str(path))
    return write_bytes(path, mark_image(data) if marked else data)


def encode_image(image: np.ndarray, kind: str = ".png", place: str = "image") -> bytes:
    """Returns an RGB image `[h, w, 3]` uint8 as the bytes of a file.

    Args:
        image: The image.
        kind: ".png", ".jpg" or another suffix that OpenCV supports.
        place: For the error message.

    Raises:
        DataError: The suffix is unknown.
    """
    pixels = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    try:
        done, data = cv2.imencode(kind.lower(), pixels, _OPTIONS.get(kind.lower(), ()))
    except cv2.error:
        done, data = False, np.zeros(0, np.uint8)
    if not done:
        raise DataError(place, f"cannot write {kind!r}; use .png or .jpg")
    return data.tobytes()
