"""MixUp: two images blended into one."""

import dataclasses

import cv2
import numpy as np

from odapi.data.augment.concatenate import concatenate
from odapi.data.augment.partners import Combination, Partners
from odapi.data.augment.placement import fitted, new_canvas, scaled
from odapi.data.image.lazy import LazyImage
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class MixUp(Combination):
    """Blends the image with another one, and keeps the objects of both.

    The other image is shrunk to fit if it is larger, and placed at random; elsewhere
    the first image keeps its colors. All objects keep their weights, as in YOLOX.

    Args:
        probability: Probability of blending.
        alpha: Both parameters of the beta distribution of the share of the image. The
            other one gets the rest.

    Source: Zhang et al. 2017 (https://arxiv.org/abs/1710.09412); for detection, Zhang
    et al. 2019 (https://arxiv.org/abs/1902.04103), section 3.1.
    """

    probability: float = 0.15
    alpha: float = 32.0

    def __post_init__(self):
        super().__post_init__()
        if not self.alpha > 0:
            raise ValueError(f"alpha must be above 0, got {self.alpha}")

    def combined(
        self, sample: Sample, rng: np.random.Generator, partners: Partners
    ) -> Sample:
        """Returns the blended sample."""
        other, share = partners(rng), rng.beta(self.alpha, self.alpha)
        first = scaled(sample, partners)
        canvas = new_canvas(first.image)
        size = canvas.shape[:2]
        second = fitted(other, size, partners, rng)
        area, blended = second.area_of(canvas), second.image.render()
        mixed = cv2.addWeighted(area, share, blended, 1 - share, 0.0)
        area[...] = mixed.reshape(area.shape)
        joint = concatenate([part.on_canvas(size) for part in (first, second)])
        return joint | {"image": LazyImage.of(canvas)}
