"""Datasets and configs that `odapi data` is given."""

import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odapi.data.sources.base import BaseSource


def open_spec(spec: str, label_map: pathlib.Path | None) -> "BaseSource":
    """Returns the dataset of a spec, with the classes of a label map if one is given.

    Raises:
        DataError: The dataset or the label map cannot be read.
    """
    from odapi.data.sources.open import open_source

    if label_map is None:
        return open_source(spec)
    from odapi.config.label_map import load_label_map
    from odapi.data.keypoint_slots import with_keypoints_of
    from odapi.errors import DataError

    classes = load_label_map(label_map)
    source = open_source(spec, classes)
    if classes.num_keypoints or not source.num_keypoints:
        return source
    try:  # A label map of classes alone would lose the names of keypoints.
        named = with_keypoints_of(classes, open_source(spec).label_map)
    except DataError:
        return source
    return open_source(spec, named) if named.num_keypoints else source


def is_config(target: str) -> bool:
    """Returns whether a target is a pipeline config, or a folder that has one."""
    path = pathlib.Path(target)
    return path.suffix == ".config" or (path / "pipeline.config").is_file()


def refuse_overrides(overrides: list[str] | None, spec: str) -> None:
    """Raises a `DataError` if `--set` is given for a dataset, which has no config."""
    from odapi.errors import DataError

    if overrides:
        raise DataError("--set", f"is for a pipeline config, got the dataset {spec}")
