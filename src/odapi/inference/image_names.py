"""Names of the files that are made of images: each once, like the image's own."""

import pathlib

from odapi.files import shortened
from odapi.inference.prediction import Prediction

_LOSSLESS = {".png", ".bmp", ".gif"}


class ImageNames:
    """Names of the files of images in one folder."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, found: Prediction) -> tuple[str, str]:
        """Returns stem and suffix for an image: ".png" of lossless files, else ".jpg".

        Images of the same name, from other folders or of other kinds, get their id.
        """
        path = found.path or pathlib.Path(f"image_{found.image_id:0>4}")
        suffix = ".png" if path.suffix.lower() in _LOSSLESS else ".jpg"
        stem = shortened(path.stem)  # Crops add a number.
        if stem + suffix in self._taken:
            stem = f"{stem}_{found.image_id:0>4}"
        self._taken.add(stem + suffix)
        return stem, suffix
