"""Cuts regions out of feature maps, all of one size."""

import dataclasses
from collections.abc import Sequence

from odapi.geometry.crop.roi_align import (
    CROP_AND_RESIZE,
    CropMethod,
    crop_rois,
    pool_rois,
)
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class RoiPooler:
    """Crops, then pools.

    Args:
        initial: Side of a crop.
        pool: Side of the windows whose maximum is taken.
        stride: Cells from one window to the next.
        method: How maps are read.
    """

    initial: int = 14
    pool: int = 1
    stride: int = 1
    method: CropMethod = CROP_AND_RESIZE

    def __post_init__(self):
        for name, value in (
            ("initial_crop_size", self.initial),
            ("maxpool_kernel_size", self.pool),
            ("maxpool_stride", self.stride),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")
        if self.pool > self.initial:
            raise ValueError(
                f"maxpool_kernel_size {self.pool} is above initial_crop_size "
                f"{self.initial}: nothing would be left of a crop"
            )

    @property
    def whole(self) -> tuple[int, int]:
        """Rows and columns of a crop that is not pooled."""
        return self.initial, self.initial

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of what is returned."""
        side = (self.initial - self.pool) // self.stride + 1
        return side, side

    def __call__(
        self, maps: Sequence[Tensor], boxes: Tensor, image_size: tuple[int, int]
    ) -> Tensor:
        """Returns `[b, p, s, s, c]`, what boxes show.

        Args:
            maps: `[b, h, w, c]`, largest first.
            boxes: `[b, p, 4]`, normalized.
            image_size: Height and width of the images in pixels.
        """
        crops = self.cut(maps, boxes, image_size)
        return pool_rois(crops, self.pool, self.stride)

    def cut(
        self, maps: Sequence[Tensor], boxes: Tensor, image_size: tuple[int, int]
    ) -> Tensor:
        """Returns `[b, p, initial, initial, c]`: the same without pooling."""
        return crop_rois(maps, boxes, self.whole, self.method, image_size)
