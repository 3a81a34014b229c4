"""RoI pooling: crops of one size from feature maps."""

import dataclasses
from collections.abc import Sequence

from odapi.geometry.crop.roi_align import (
    CROP_AND_RESIZE,
    CropMethod,
    crop_rois,
    pool_rois,
)
from odapi.geometry.map_size import MapSize
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class RoiPooler:
    """Crops RoIs from feature maps, then max-pools the crops.

    Args:
        crop_size: Rows and columns of a crop.
        pool_size: Rows and columns of a pooling window.
        pool_stride: Stride of the pooling windows.
        method: Sampling of the maps.
    """

    crop_size: int = 14
    pool_size: int = 1
    pool_stride: int = 1
    method: CropMethod = CROP_AND_RESIZE

    def __post_init__(self):
        for name, value in (
            ("initial_crop_size", self.crop_size),
            ("maxpool_kernel_size", self.pool_size),
            ("maxpool_stride", self.pool_stride),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")
        if self.pool_size > self.crop_size:
            raise ValueError(
                f"maxpool_kernel_size {self.pool_size} is above initial_crop_size "
                f"{self.crop_size}"
            )

    @property
    def crop_shape(self) -> tuple[int, int]:
        """Rows and columns of a crop before pooling."""
        return self.crop_size, self.crop_size

    @property
    def output_shape(self) -> tuple[int, int]:
        """Rows and columns after pooling."""
        side = (self.crop_size - self.pool_size) // self.pool_stride + 1
        return side, side

    def __call__(
        self, maps: Sequence[Tensor], boxes: Tensor, image_size: MapSize
    ) -> Tensor:
        """Returns the pooled crops `[b, p, s, s, c]` of boxes.

        Args:
            maps: `[b, h, w, c]`, largest first.
            boxes: `[b, p, 4]`, normalized.
            image_size: Height and width of the images in pixels.
        """
        crops = self.crop(maps, boxes, image_size)
        return pool_rois(crops, self.pool_size, self.pool_stride)

    def crop(
        self, maps: Sequence[Tensor], boxes: Tensor, image_size: MapSize
    ) -> Tensor:
        """Returns the crops `[b, p, crop_size, crop_size, c]` before pooling."""
        return crop_rois(maps, boxes, self.crop_shape, self.method, image_size)
