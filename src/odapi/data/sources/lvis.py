"""LVIS JSON: COCO's annotations, and the classes that each image was annotated with."""

import pathlib
from typing import Any

from odapi.data.sources.coco import CocoSource, open_coco
from odapi.data.sources.lvis_fields import NEGATIVE
from odapi.errors import DataError
from odapi.fields import LABELED_CLASSES
from odapi.labels import LabelMap


def open_lvis(
    path: str | pathlib.Path, label_map: LabelMap | None = None, **options: Any
) -> CocoSource:
    """Opens an annotation file of LVIS, as `open_coco` does.

    Args:
        path: The JSON file, or a folder that holds one.
        label_map: The classes; matched by name. None uses the categories of the file.
        **options: Of `open_coco`.

    Raises:
        DataError: It is not an LVIS file, a class is unknown, or images are missing.
    """
    source = open_coco(path, label_map, **options)
    raws = (source.raw(i) for i in range(len(source)))
    if any(LABELED_CLASSES in raw.objects for raw in raws):
        return source
    raise DataError(
        str(source.file),
        f"is not an LVIS file: no image has {NEGATIVE}",
        hint="files in which every class is annotated in every image are read by coco:",
    )
