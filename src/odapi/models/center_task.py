"""What a task of CenterNet is: heads of its own, losses, and fields of detections."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from odapi.structures import Detections, Groundtruth, Tensor

# Pixels of the input image to a cell of the maps; all extractors have this one.
STRIDE = 4


@dataclasses.dataclass(frozen=True)
class Head:
    """What a head predicts for each cell.

    Args:
        name: As the original names it, such as "box/scale".
        channels: Numbers a cell.
        filters: Channels of the layers before the last one.
        kernels: Sides of their windows.
        bias: First bias of the last layer; None: 0.
    """

    name: str
    channels: int
    filters: tuple[int, ...] = (256,)
    kernels: tuple[int, ...] = (3,)
    bias: float | None = None


class Frame(NamedTuple):
    """Where the maps lie on the images of a batch."""

    image_size: tuple[int, int]  # height and width with padding, in pixels
    true_size: Tensor = None  # [b, 2] int32, without padding; None: there is none

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of the maps, in cells."""
        height, width = self.image_size
        return -(-height // STRIDE), -(-width // STRIDE)


class Peaks(NamedTuple):
    """Centres of objects, best first, always `k` of them."""

    y: Tensor  # [b, k] int32, row of the cell
    x: Tensor  # [b, k] int32, column of the cell
    classes: Tensor  # [b, k] int32
    scores: Tensor  # [b, k] float32, of the heatmap


Maps = Mapping[str, Tensor]  # By name of the head: [b, h, w, channels], float32.


class Task(abc.ABC):
    """A frozen dataclass of choices; it has no weights."""

    @property
    @abc.abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """What it needs predicted."""

    @property
    @abc.abstractmethod
    def loss_names(self) -> tuple[str, ...]:
        """The keys of what `losses` returns."""

    @abc.abstractmethod
    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses, by the original's names.

        Args:
            stages: What the heads say after each stage of the extractor; all count.
            truth: The objects of the images, normalised to the padded images.
            frame: Where the maps lie.
        """

    @abc.abstractmethod
    def detect(
        self, maps: Maps, peaks: Peaks, found: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with the fields that this task knows.

        Args:
            maps: What the heads say after the last stage.
            peaks: The centres of the objects.
            found: What the tasks before it have said; boxes come first. One row a
                peak, in the order of the peaks.
            frame: Where the maps lie.
        """
