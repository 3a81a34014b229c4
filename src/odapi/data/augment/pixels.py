"""Changes of pixels that depend on their position, such as noise and patches.

They cannot be recorded like crops and colors: the image is rendered, then changed.
Later flips, crops, colors and the resizer are recorded again.
"""

from collections.abc import Callable

import numpy as np

from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import sampled_masks
from odapi.data.sample import Sample

_RGB = 3


def change_pixels(
    sample: Sample,
    change: Callable[[np.ndarray], np.ndarray],
    all_channels: bool = False,
) -> Sample:
    """Returns the sample with its image rendered and changed; objects stay.

    Args:
        sample: The sample.
        change: Gets the image `[h, w, 3]`, which it may change in place, and returns
            one of the same size.
        all_channels: Whether it gets additional channels, too; otherwise they stay.
    """
    sample = rendered_lazily(sample)
    image = sample["image"]
    if all_channels or image.shape[2] == _RGB:
        return sample | {"image": change(image)}
    changed = change(np.ascontiguousarray(image[..., :_RGB]))
    return sample | {"image": np.concatenate([changed, image[..., _RGB:]], axis=2)}


def rendered_lazily(sample: Sample) -> Sample:
    """Returns the sample with its image as a writable array, its masks on access.

    An image that shows its source leaves the masks untouched.
    """
    image = LazyImage.of(sample["image"])
    pixels = image.render()
    if np.may_share_memory(pixels, image.pixels):
        pixels = pixels.copy()  # The source may be in the sample cache.
    drawn = sample | {"image": pixels}
    if "masks" in sample and not image.shows_source:
        drawn["masks"] = sampled_masks(sample["masks"], image.rows, image.columns)
    return drawn


def as_uint8(image: np.ndarray) -> np.ndarray:
    """Returns an image as uint8: truncated, as a cast in the original."""
    if image.dtype == np.uint8:
        return image
    return np.clip(image, 0, 255).astype(np.uint8)
