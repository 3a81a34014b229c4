"""Tasks of CenterNet: their heads, losses and fields of detections.

Shapes: b images, k peaks (detections), maps `[b, h, w, c]` of stride 4; cells are
pixels of these maps.
"""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from odapi.heads.center_heads import Head
from odapi.structures import Detections, Groundtruth, Tensor

__all__ = ["STRIDE", "Frame", "Head", "Maps", "Peaks", "Task", "cells_before"]

# Image pixels per cell of the maps; all extractors have this stride.
STRIDE = 4


class Frame(NamedTuple):
    """Images of a batch in relation to the maps, and state of the training step."""

    image_size: tuple[int, int]  # height and width with padding, in pixels
    true_size: Tensor = None  # [b, 2] int32, without padding; None: no padding
    images: Tensor = None  # [b, h, w, 3] in 0 to 255, not normalized
    step: Tensor = None  # int scalar: number of training steps; None: not in training
    training: bool = False  # Whether the layers of a task run in training mode.
    features: Tensor = None  # [b, h, w, c] of the last stage, if a task needs it
    # Runs the network on transformed images: `rerun(transform)`, where `transform` is
    # applied to normalized images, returns the maps after each stage. None: cannot.
    rerun: Any = None

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
        """Returns `[b or 1, h, w, 1]` float32: 0 for cells that are all padding."""
        height, width = self.map_size
        if self.true_size is None:
            return ops.ones((1, height, width, 1), "float32")
        end = (ops.cast(self.true_size, "int32") + (STRIDE - 1)) // STRIDE
        return ops.cast(cells_before(end, self.map_size), "float32")

    def to_map_frame(self, boxes: Tensor) -> Tensor:
        """Returns boxes `[b, n, 4]` normalized to the maps, from ones of the images."""
        if self.true_size is None:
            return boxes
        padded = ops.convert_to_tensor(self.image_size, dtype="float32")
        share = self.real_size / padded
        return boxes * ops.concatenate([share, share], axis=-1)[:, None, :]


def cells_before(end: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Returns the mask `[b, h, w, 1]` of cells before row and column `end [b, 2]`."""
    height, width = map_size
    rows = ops.arange(height, dtype="int32")[None] < end[:, :1]
    columns = ops.arange(width, dtype="int32")[None] < end[:, 1:]
    return ops.logical_and(rows[:, :, None], columns[:, None, :])[..., None]


class Peaks(NamedTuple):
    """Peaks of the center heatmap, best first, padded to `k`."""

    y: Tensor  # [b, k] int32, row of the cell
    x: Tensor  # [b, k] int32, column of the cell
    classes: Tensor  # [b, k] int32
    scores: Tensor  # [b, k] float32, of the heatmap; 0 for padding


Maps = Mapping[str, Tensor]  # Output map of each head: [b, h, w, channels], float32.


class Task(abc.ABC):
    """Prediction of fields of the detected objects.

    A frozen dataclass of options; its weights are in its heads and `layers`.
    """

    @property
    @abc.abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""

    @property
    @abc.abstractmethod
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its losses read."""
        return ()

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """Built layers that `losses` and `detect` call; the detector tracks them.

        Their names are unique among all tasks. `Frame.training` is their mode.
        """
        return ()

    @property
    def needs_features(self) -> bool:
        """True if `losses` reads `Frame.features`."""
        return False

    @property
    def predicts_masks_from_boxes(self) -> bool:
        """True if `masks_from_boxes` is implemented."""
        return False

    def masks_from_boxes(self, maps: "Maps", boxes: Tensor) -> Tensor:
        """Returns masks `[b, n, h, w]` of given boxes.

        Args:
            maps: Outputs of the heads after the last stage.
            boxes: `[b, n, 4]` normalized to the padded images.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses, by the original's names.

        Args:
            stages: Outputs of the heads after each stage of the extractor; the losses
                of all stages are averaged.
            truth: Objects of the images, normalized to the padded images.
            frame: The images and the training step.
        """

    @abc.abstractmethod
    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with the fields of this task.

        Args:
            maps: Outputs of the heads after the last stage.
            peaks: Centers of the objects.
            detections: Output of the preceding tasks, boxes first; one row per peak, in
                the order of the peaks.
            frame: The images.
        """

    def rescore(self, detections: Detections) -> Detections:
        """Returns the detections with scores updated by this task.

        Args:
            detections: Detections after non-maximum suppression (NMS), which would
                replace the scores.
        """
        return detections
