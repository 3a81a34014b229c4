"""Cuts regions out of feature maps, all of one size."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from odapi.geometry.crop import crop_and_resize
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class RoiCrop:
    """Crops, then pools.

    Args:
        initial: Side of a crop.
        pool: Side of the window of the max-pool that follows.
        stride: Its stride.
    """

    initial: int = 14
    pool: int = 2
    stride: int = 2

    def __post_init__(self):
        for name, value in (
            ("initial_crop_size", self.initial),
            ("maxpool_kernel_size", self.pool),
            ("maxpool_stride", self.stride),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of what is returned."""
        side = (self.initial - self.pool) // self.stride + 1
        return side, side

    def __call__(self, maps: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Returns `[b, p, s, s, c]`, what boxes show.

        Args:
            maps: `[b, h, w, c]`, largest first.
            boxes: `[b, p, 4]`, normalised.
        """
        crops = crop_and_resize(maps[0], boxes, (self.initial, self.initial))
        number, channels = boxes.shape[1], maps[0].shape[-1]
        flat = ops.reshape(crops, (-1, self.initial, self.initial, channels))
        flat = ops.max_pool(flat, self.pool, self.stride, data_format="channels_last")
        return ops.reshape(flat, (-1, number, *self.size, channels))
