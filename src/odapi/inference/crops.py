"""Crops: the part of an image within each box, as image files sorted by class."""

import pathlib
import re

from odapi.draw.file import save_image
from odapi.files import Pathlike, shortened
from odapi.inference.image_names import ImageNames
from odapi.inference.prediction import Prediction
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import CROPS

# Characters that names of folders cannot have on some system.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


class Crops:
    """Writes crops to a folder: `CLASS/IMAGE_1.jpg`, `CLASS/IMAGE_2.jpg` and so on.

    Args:
        folder: A new or empty folder.

    Raises:
        OutputError: The folder has files, or cannot be written.
    """

    def __init__(self, folder: Pathlike):
        self._output = OutputFolder(folder, CROPS)
        self.folder = self._output.begin()
        self._files: list[pathlib.Path] = []
        self._names = ImageNames()

    def save(self, found: Prediction) -> list[pathlib.Path]:
        """Writes one file per object; returns the files.

        Objects are numbered per image, best score first.
        """
        stem, suffix = self._names.of(found)
        files = []
        crops = zip(found.class_ids, found.labels, found.crop(), strict=True)
        for number, (class_id, label, crop) in enumerate(crops, 1):
            folder = self.folder / folder_name(label, int(class_id))
            path = folder / f"{stem}_{number}{suffix}"
            files.append(save_image(path, crop, marked=False))
        self._files += files
        return files

    def finish(self) -> pathlib.Path:
        """Marks the folder as complete, and returns it."""
        self._output.finish(self._files)
        return self.folder


def folder_name(label: str, class_id: int) -> str:
    """Returns the name of a class as that of a folder.

    >>> folder_name("cat/dog", 1), folder_name("..", 2)
    ('cat_dog', 'class 2')
    """
    name = shortened(_FORBIDDEN.sub("_", label).strip(" ."))
    return name or f"class {class_id}"
