"""The keypoints of a model's classes, from the label map that names them."""

import dataclasses
from typing import Any

from odapi.config.label_map import load_label_map
from odapi.errors import DataError
from odapi.labels import LabelMap


def keypoint_label_map(config: Any) -> LabelMap | None:
    """Returns the label map that names the keypoints a model finds, if it finds any.

    Args:
        config: A TrainEvalPipelineConfig.

    Raises:
        DataError: It cannot be read.
    """
    center_net = config.model.center_net
    if not center_net.keypoint_estimation_task:
        return None
    path = center_net.keypoint_label_map_path
    return load_label_map(path) if path else None


def with_keypoints(label_map: LabelMap, keypoints: LabelMap) -> LabelMap:
    """Returns a label map whose classes have the keypoints of another's.

    Args:
        label_map: The classes.
        keypoints: Classes of the same names with their keypoints; others have none.

    Raises:
        DataError: A class has another id there.
    """
    categories = []
    for category in label_map:
        named = keypoints.by_name.get(category.name)
        named = named or keypoints.by_name.get(category.label)
        if named and named.keypoints and named.id != category.id:
            raise DataError(
                keypoints.source,
                f"class {named.name!r} has id {named.id}; it has id {category.id} in "
                f"{label_map.source}",
                hint="a model needs one id a class: change one of the two",
            )
        own = named.keypoints if named else ()
        categories.append(dataclasses.replace(category, keypoints=own))
    return dataclasses.replace(label_map, categories=tuple(categories))
