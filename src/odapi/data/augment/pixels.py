"""Changes of pixels that depend on their position, such as noise and patches.

They cannot be recorded like crops and colors: the image is rendered, then changed.
Later flips, crops, colors and the resizer are recorded again.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.data.image import warp
from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.image.warp import Axis
from odapi.data.sample import Sample


def change_pixels(sample: Sample, change: Callable[[np.ndarray], np.ndarray]) -> Sample:
    """Returns the sample with its image rendered and changed; objects stay.

    Args:
        sample: The sample.
        change: Gets the image `[h, w, 3]`, which it may change in place, and returns
            one of the same size.
    """
    sample = rendered_lazily(sample)
    return sample | {"image": change(sample["image"])}


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
        drawn["masks"] = _on_access(sample["masks"], image.rows, image.columns)
    return drawn


def _on_access(masks: Any, rows: Axis, columns: Axis) -> LazyMasks:
    """Returns masks that are sampled one at a time: many large ones need no memory."""
    decoders = tuple(
        functools.partial(_sampled, masks, index, rows, columns)
        for index in range(len(masks))
    )
    return LazyMasks(decoders, (rows.size, columns.size))


def _sampled(masks: Any, index: int, rows: Axis, columns: Axis) -> np.ndarray:
    return warp.sample_masks(masks[index : index + 1], rows, columns)[0]
