"""Factors of the loss weights of objects, by class."""

import dataclasses

import numpy as np

from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class ClassWeights:
    """Multiplies the `weights` of objects by the factor of their class.

    Args:
        factors: Factor per class index; classes beyond the last have 1.
    """

    factors: tuple[float, ...]

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with the weights `[n]` of its objects changed."""
        classes = sample["classes"]
        table = np.array([*self.factors, 1.0], np.float32)
        factors = table[np.minimum(classes, len(self.factors))]
        weights = sample.get("weights", np.ones(len(classes), np.float32))
        return sample | {"weights": weights * factors}
