"""A source whose classes are merged into one."""

import collections
import dataclasses

from odapi.data.sources.base import BaseSource
from odapi.data.sources.relabel import Relabeled
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap

NAME = "object"


def merge_classes(source: BaseSource, label_map: LabelMap | None = None) -> BaseSource:
    """Returns a source all of whose objects have the class index 0.

    Args:
        source: The source.
        label_map: The only class, that of a trained model; None makes it, see
            `merged_label_map`.

    Raises:
        DataError: `label_map` has several classes.
    """
    if label_map is None:
        label_map = merged_label_map(source.label_map)
    if label_map.num_classes != 1:
        names = ", ".join(c.label for c in list(label_map)[:5])
        raise DataError(
            label_map.source,
            f"has the classes {names}, but options.sampling.single_class merges all "
            "classes into one",
            hint="set options.sampling.single_class to false for a model of these "
            "classes",
        )
    if source.label_map == label_map:
        return source
    return Relabeled(source, label_map, {c.index: 0 for c in source.label_map})


def merged_label_map(label_map: LabelMap) -> LabelMap:
    """Returns a label map of one class, with the keypoints of all classes.

    A single class keeps its name; several become "object". Keypoints of several classes
    with the same name get the name of their class in front.
    """
    categories = tuple(label_map)
    source = f"the merged classes of {label_map.source}"
    if len(categories) == 1:
        only = dataclasses.replace(
            categories[0], id=1, ancestor_ids=(), descendant_ids=()
        )
        return LabelMap((only,), source)
    names = collections.Counter(k.name for c in categories for k in c.keypoints)
    keypoints = tuple(
        Keypoint(k.id, f"{c.name} {k.name}" if k.name and names[k.name] > 1 else k.name)
        for c in categories
        for k in c.keypoints
    )
    flips = [c.flip for c in categories if c.keypoints]
    merged = Category(
        1,
        NAME,
        keypoints=keypoints,
        skeleton=tuple(pair for c in categories for pair in c.skeleton),
        flip=tuple(i for flip in flips for i in flip) if all(flips) else (),
    )
    return LabelMap((merged,), source)
