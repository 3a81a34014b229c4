"""AutoAugment: one of several learned sequences of operations per image."""

import dataclasses

import numpy as np

from odapi.data.augment.autoaugment.operations import (
    AS_SHIPPED,
    OPERATIONS,
    Call,
    Sizes,
)
from odapi.data.augment.autoaugment.policies import POLICIES, Operation
from odapi.data.augment.pixels import as_uint8, rendered_lazily
from odapi.data.sample import Sample


@dataclasses.dataclass(frozen=True)
class AutoAugment:
    """Applies a random row of a learned policy to the image and its objects.

    Unlike in the original, objects that a geometric operation moves out of the image
    are dropped.

    Args:
        policy: "v0" to "v3", or "test".
        sizes: Pixels of the strongest operations.

    Source: Zoph et al. 2019 (https://arxiv.org/abs/1906.11172).
    """

    policy: str = "v0"
    sizes: Sizes = AS_SHIPPED

    def __post_init__(self):
        if self.policy not in POLICIES:
            raise ValueError(
                f"policy_name must be one of {', '.join(POLICIES)}, got {self.policy!r}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample after the operations of one row of the policy."""
        rows = POLICIES[self.policy]
        row = rows[int(rng.integers(0, len(rows)))]
        changed = rendered_lazily(sample)
        dtype = changed["image"].dtype
        # Integers, as in the original, also of float images.
        changed["image"] = as_uint8(changed["image"])
        applied = False
        for operation in row:
            if self._is_drawn(operation, rng):
                call = Call(operation.probability, operation.level, self.sizes, rng)
                changed = OPERATIONS[operation.name](changed, call)
                applied = True
        if not applied:
            return sample
        return changed | {"image": changed["image"].astype(dtype, copy=False)}

    @staticmethod
    def _is_drawn(operation: Operation, rng: np.random.Generator) -> bool:
        # Operations on the contents of boxes draw for each box.
        per_box = operation.name.endswith("_Only_BBoxes")
        return per_box or rng.random() + operation.probability >= 1.0
