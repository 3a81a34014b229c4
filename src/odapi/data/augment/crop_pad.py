"""Random crops that are padded again, and crops of one aspect ratio."""

import dataclasses

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.crop import (
    CropImage,
    CropToAspectRatio,
    SsdRandomCrop,
    ssd_operation,
)
from odapi.data.augment.pad import (
    PadToAspectRatio,
    check_color,
    check_ratios,
    pad_between,
)
from odapi.data.sample import Sample

_CROP, _SSD_CROP, _PAD = CropImage(), SsdRandomCrop(), PadToAspectRatio()


@dataclasses.dataclass(frozen=True)
class CropPadImage:
    """Crops at random, then pads to a random size, with the crop at a random position.

    Args:
        crop: The crop. The padding follows also if it does not crop.
        min_ratio, max_ratio: Range of the new height and width relative to those of
            the image before the crop.
        color: Red, green and blue of the padding, 0..255; empty means the mean color
            of the crop.
    """

    crop: CropImage = _CROP
    min_ratio: tuple[float, float] = (1.0, 1.0)
    max_ratio: tuple[float, float] = (2.0, 2.0)
    color: tuple[float, ...] = ()

    def __post_init__(self):
        check_ratios(self.min_ratio, self.max_ratio)
        check_color(self.color)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the cropped and padded sample."""
        height, width = transforms.size_of(sample)
        low, high = (
            (int(height * ratio[0]), int(width * ratio[1]))
            for ratio in (self.min_ratio, self.max_ratio)
        )
        return pad_between(self.crop(sample, rng), low, high, self.color, rng)


@dataclasses.dataclass(frozen=True)
class SsdRandomCropPad:
    """Crops and pads by one of several operations, chosen at random per image.

    Args:
        operations: Equally likely; by default six of those of `SsdRandomCrop`, all but
            the unconstrained one.
    """

    operations: tuple[CropPadImage, ...] = tuple(
        CropPadImage(ssd_operation(share)) for share in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    )

    def __post_init__(self):
        if not self.operations:
            raise ValueError("operations must not be empty")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the cropped and padded sample."""
        return self.operations[rng.integers(len(self.operations))](sample, rng)


@dataclasses.dataclass(frozen=True)
class SsdRandomCropFixedAspectRatio:
    """Crops as `SsdRandomCrop`, then to exactly one aspect ratio.

    Args:
        operations: Of `SsdRandomCrop`; their aspect ratios are replaced. Empty means
            the seven of SSD.
        aspect_ratio: Width / height of the result.
    """

    operations: tuple[CropImage, ...] = ()
    aspect_ratio: float = 1.0

    def __post_init__(self):
        CropToAspectRatio(self.aspect_ratio)  # Checks it.

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the cropped sample."""
        operations = self.operations or _SSD_CROP.operations
        chosen = operations[rng.integers(len(operations))]
        ratio = (self.aspect_ratio, self.aspect_ratio)
        sample = dataclasses.replace(chosen, aspect_ratio=ratio)(sample, rng)
        exact = CropToAspectRatio(self.aspect_ratio, clip_boxes=chosen.clip_boxes)
        return exact(sample, rng)


@dataclasses.dataclass(frozen=True)
class SsdRandomCropPadFixedAspectRatio:
    """Crops as `SsdRandomCrop`, then pads with black to one aspect ratio.

    Args:
        crop: The crop.
        pad: The padding, at the bottom and right.
    """

    crop: SsdRandomCrop = _SSD_CROP
    pad: PadToAspectRatio = _PAD

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the cropped and padded sample."""
        return self.pad(self.crop(sample, rng), rng)
