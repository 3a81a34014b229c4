"""What a task of CenterNet is: heads of its own, losses, and fields of detections."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from odapi.heads.center_heads import Head
from odapi.structures import Detections, Groundtruth, Tensor

__all__ = ["STRIDE", "Frame", "Head", "Maps", "Peaks", "Task", "cells_before"]

# Pixels of the input image to a cell of the maps; all extractors have this one.
STRIDE = 4


class Frame(NamedTuple):
    """Where the maps lie on the images of a batch, and what else is known of them."""

    image_size: tuple[int, int]  # height and width with padding, in pixels
    true_size: Tensor = None  # [b, 2] int32, without padding; None: there is none
    images: Tensor = None  # [b, h, w, 3] in 0 to 255, as they came in
    step: Tensor = None  # int scalar: steps trained so far; None: not in training
    training: bool = False  # Whether the layers of a task work as in training.
    features: Tensor = None  # [b, h, w, c] of the last stage, if a task needs them
    # Runs the whole network on changed images: `again(change)`, where `change` maps
    # normalized images to such images, gives the maps after each stage. None: cannot.
    again: Any = None

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of the maps, in cells."""
        height, width = self.image_size
        return -(-height // STRIDE), -(-width // STRIDE)

    @property
    def real_size(self) -> Tensor:
        """Height and width without padding, `[b or 1, 2]` float32, in pixels."""
        if self.true_size is None:
            return ops.convert_to_tensor([self.image_size], dtype="float32")
        return ops.cast(self.true_size, "float32")

    def valid_cells(self) -> Tensor:
        """Returns `[b or 1, h, w, 1]` float32: 0 for cells of padding alone."""
        height, width = self.map_size
        if self.true_size is None:
            return ops.ones((1, height, width, 1), "float32")
        end = (ops.cast(self.true_size, "int32") + (STRIDE - 1)) // STRIDE
        return ops.cast(cells_before(end, self.map_size), "float32")

    def on_maps(self, boxes: Tensor) -> Tensor:
        """Returns boxes `[b, n, 4]`, normalized to images, normalized to the maps."""
        if self.true_size is None:
            return boxes
        padded = ops.convert_to_tensor(self.image_size, dtype="float32")
        share = self.real_size / padded
        return boxes * ops.concatenate([share, share], axis=-1)[:, None, :]


def cells_before(end: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Returns `[b, h, w, 1]` bool: whether row and column are below `end [b, 2]`."""
    height, width = map_size
    rows = ops.arange(height, dtype="int32")[None] < end[:, :1]
    columns = ops.arange(width, dtype="int32")[None] < end[:, 1:]
    return ops.logical_and(rows[:, :, None], columns[:, None, :])[..., None]


class Peaks(NamedTuple):
    """Centers of objects, best first, always `k` of them."""

    y: Tensor  # [b, k] int32, row of the cell
    x: Tensor  # [b, k] int32, column of the cell
    classes: Tensor  # [b, k] int32
    scores: Tensor  # [b, k] float32, of the heatmap; 0 where there is no peak


Maps = Mapping[str, Tensor]  # By name of the head: [b, h, w, channels], float32.


class Task(abc.ABC):
    """A frozen dataclass of choices; weights beyond its heads are in `layers`."""

    @property
    @abc.abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """What it needs predicted."""

    @property
    @abc.abstractmethod
    def loss_names(self) -> tuple[str, ...]:
        """The keys of what `losses` returns."""

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its losses read."""
        return ()

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """Built layers that `losses` and `detect` call; the detector keeps them.

        Their names differ from those of all other tasks. Where they work differently
        in training, `Frame.training` says which way is wanted.
        """
        return ()

    @property
    def needs_features(self) -> bool:
        """Whether `losses` looks at `Frame.features`."""
        return False

    @property
    def predicts_masks_from_boxes(self) -> bool:
        """Whether `masks_of` can be called."""
        return False

    def masks_of(self, maps: "Maps", boxes: Tensor) -> Tensor:
        """Returns masks `[b, n, h, w]` of boxes that are given.

        Args:
            maps: What the heads say after the last stage.
            boxes: `[b, n, 4]` normalized to the padded images.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses, by the original's names.

        Args:
            stages: What the heads say after each stage of the extractor; all count.
            truth: The objects of the images, normalized to the padded images.
            frame: Where the maps lie.
        """

    @abc.abstractmethod
    def detect(
        self, maps: Maps, peaks: Peaks, found: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with the fields that this task knows.

        Args:
            maps: What the heads say after the last stage.
            peaks: The centers of the objects.
            found: What the tasks before it have said; boxes come first. One row a
                peak, in the order of the peaks.
            frame: Where the maps lie.
        """

    def rescore(self, found: Detections) -> Detections:
        """Returns the detections with scores that this task knows better.

        Args:
            found: What is left after suppression, whose own scores these would not
                outlast.
        """
        return found
