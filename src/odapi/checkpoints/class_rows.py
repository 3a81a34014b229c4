"""Weights per class of one detector, assigned to the classes of another by name."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from odapi.labels import Category, LabelMap
from odapi.models.detector import Detector
from odapi.wording import first_names

_CODE = 4  # Values of a box.
_SCORES = re.compile(
    r"box_predictor/class(_\d+)?(/predict)?/(kernel|pointwise_kernel|bias)$"
)
_ROI_SCORES = re.compile(r"(roi_boxes|rfcn)/class(_norm)?/")
_ROI_BOXES = re.compile(r"(roi_boxes|rfcn)/box(_norm)?/")
_MAPS = re.compile(
    r"(roi_masks/predict|heads/(object_center|segmentation-heatmap)_\d+/predict)/"
)


class Layout(NamedTuple):
    """Order of the last axis of a variable: `[groups, background + classes, size]`.

    Args:
        groups: Repetitions of all classes, such as anchors.
        background: Rows before those of the classes, 0 or 1.
        size: Values per class.
    """

    groups: int
    background: int
    size: int


class MovedRows(NamedTuple):
    """Weights of a checkpoint, with rows in the order of the detector's classes.

    Args:
        arrays: All arrays by name.
        moved: Names of the classes whose rows were found.
        new: Names of the classes that keep their initial rows.
    """

    arrays: dict[str, np.ndarray]
    moved: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Returns a line for a report; none if all classes are the same."""
        if not self.moved and not self.new:
            return []
        known = (
            f"taken over by name: {first_names(self.moved, 5)}" if self.moved else ""
        )
        new = (
            f"new, at their initial values: {first_names(self.new, 5)}"
            if self.new
            else ""
        )
        return [f"  classes     {'; '.join(filter(None, (known, new)))}"]


def move_class_rows(
    detector: Detector,
    arrays: Mapping[str, np.ndarray],
    there: LabelMap,
    here: LabelMap,
) -> MovedRows:
    """Returns weights whose rows per class follow the label map of a detector.

    Args:
        detector: Built; its rows are kept for classes that the checkpoint lacks.
        arrays: The weights of the checkpoint, by the names of the detector.
        there: The classes of the checkpoint.
        here: The classes of the detector.
    """
    pairs = {c: _same(c, there) for c in here if c.index < detector.num_classes}
    variables = detector.named_variables()
    layouts = {
        name: layout
        for name, variable in variables.items()
        if name in arrays and variable.shape
        if (layout := layout_of(detector, name, variable.shape[-1]))
    }
    shapes_fit = all(arrays[n].shape == tuple(variables[n].shape) for n in layouts)
    same = all(other and other.id == own.id for own, other in pairs.items())
    if not layouts or (same and shapes_fit):
        return MovedRows(dict(arrays))
    indices = {own.index: other.index for own, other in pairs.items() if other}
    moved = {
        name: _moved(arrays[name], variables[name], layout, indices)
        for name, layout in layouts.items()
    }
    return MovedRows(
        {**arrays, **moved},
        tuple(own.label for own, other in pairs.items() if other),
        tuple(own.label for own, other in pairs.items() if other is None),
    )


def layout_of(detector: Detector, name: str, size: int) -> Layout | None:
    """Returns the layout of a variable; None if it has no rows per class.

    Args:
        detector: The detector.
        name: Name of the variable.
        size: Length of its last axis.
    """
    count = detector.num_classes
    if _SCORES.match(name):
        options = getattr(getattr(detector, "box_predictor", None), "options", None)
        rows = getattr(options, "num_logits_per_anchor", 0)
        return Layout(size // rows, rows - count, 1) if rows >= count else None
    if _ROI_SCORES.match(name):
        return _if_whole(Layout(size // (count + 1), 1, 1), count, size)
    if _ROI_BOXES.match(name) and size > _CODE:  # Otherwise shared by all classes.
        return _if_whole(Layout(size // (count * _CODE), 0, _CODE), count, size)
    if _MAPS.match(name) and size == count:
        return Layout(1, 0, 1)
    return None


def _if_whole(layout: Layout, count: int, size: int) -> Layout | None:
    rows = (layout.background + count) * layout.size
    return layout if layout.groups and layout.groups * rows == size else None


def _same(category: Category, there: LabelMap) -> Category | None:
    """Returns the category of the same name, or else of the same display name."""
    found = there.by_name.get(category.name)
    return found or there.by_name.get(category.label)


def _moved(
    array: np.ndarray,
    variable: keras.Variable,
    layout: Layout,
    indices: Mapping[int, int],
) -> np.ndarray:
    """Returns the initial values of a variable with the rows that `array` has.

    Args:
        array: The weights of the checkpoint.
        variable: The variable; its last axis has the layout.
        layout: The layout of both, for different numbers of classes.
        indices: Class index in `array` by class index in the variable.
    """
    groups, background, size = layout
    initial = np.array(ops.convert_to_numpy(variable))
    fits = array.shape[:-1] == initial.shape[:-1]
    if not fits or array.shape[-1] % (groups * size):
        return array  # Another head: the shapes are compared and reported later.
    new = initial.reshape(*initial.shape[:-1], groups, -1, size)
    old = array.reshape(*array.shape[:-1], groups, -1, size)
    new[..., :background, :] = old[..., :background, :]
    for here, there in indices.items():
        if there + background < old.shape[-2]:
            new[..., here + background, :] = old[..., there + background, :]
    return new.reshape(initial.shape)
