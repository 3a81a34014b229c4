"""Builds augmentations that warp the image: perspective and AutoAugment."""

from collections.abc import Callable
from typing import Any

from odapi.data.augment.autoaugment.augment import AutoAugment
from odapi.data.augment.perspective import RandomPerspective


def _perspective(config: Any, path: str) -> RandomPerspective:
    return RandomPerspective(
        probability=config.probability,
        max_rotation=config.max_rotation,
        max_shear=config.max_shear,
        scale=(config.min_scale, config.max_scale),
        max_translation=config.max_translation,
        max_perspective=config.max_perspective,
        overlap_thresh=config.overlap_thresh,
    )


def _autoaugment(config: Any, path: str) -> AutoAugment:
    return AutoAugment(config.policy_name)


# Builders `(message, path)` by the name of the step.
WARP_STEPS: dict[str, Callable] = {"autoaugment_image": _autoaugment}
# The same for odapi's own augmentations.
OWN_WARPS: dict[str, Callable] = {"random_perspective": _perspective}
