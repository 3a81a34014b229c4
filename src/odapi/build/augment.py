"""Builds augmentations from the steps of `data_augmentation_options`."""

from collections.abc import Iterable, Mapping
from typing import Any

from odapi.build.augment_geometry import GEOMETRY_STEPS
from odapi.build.augment_labels import LABEL_STEPS
from odapi.build.augment_pixels import PIXEL_STEPS
from odapi.build.augment_resize import RESIZE_STEPS
from odapi.build.augment_warps import WARP_STEPS
from odapi.build.oneof import build_oneof
from odapi.data.augment.flip import HorizontalFlip, RandomFlip, VerticalFlip
from odapi.data.loader.pipeline import Augmentation
from odapi.errors import ConfigError
from odapi.wording import counted

STEPS_PATH = "train_config.data_augmentation_options"


def build_augmentations(
    steps: Iterable[Any], path: str = STEPS_PATH
) -> tuple[Augmentation, ...]:
    """Returns functions `(sample, rng) -> sample`, in the order of the steps.

    Args:
        steps: PreprocessingStep messages.
        path: Path of the steps in the pipeline config, for errors.

    Raises:
        ConfigError: A step is empty, unknown, or has a value that is not allowed.
    """
    return tuple(
        build_step(step, f"{path}[{index}]") for index, step in enumerate(steps)
    )


def build_step(step: Any, path: str) -> Augmentation:
    """Returns the function `(sample, rng) -> sample` of a PreprocessingStep.

    Args:
        step: The message.
        path: Its path in the pipeline config, for errors.

    Raises:
        ConfigError: It is empty, unknown, or has a value that is not allowed.
    """
    return build_oneof(step, "preprocessing_step", STEPS, path)


def check_keypoints(
    augmentations: Mapping[str, Augmentation], num_keypoints: int
) -> None:
    """Checks that flips permute the keypoints of the dataset.

    Args:
        augmentations: As built, by their paths in the pipeline config.
        num_keypoints: Number of keypoints per object; 0 if there are none.

    Raises:
        ConfigError: A permutation is missing or has another length.
    """
    for path, step in augmentations.items():
        if not isinstance(step, RandomFlip) or not step.probability:
            continue
        found = len(step.keypoint_permutation)
        # A single keypoint needs no permutation. Rotations and vertical flips keep left
        # and right, unless the config has a permutation for them.
        mirrors = isinstance(step, HorizontalFlip)
        if num_keypoints > 1 and found != num_keypoints and (found or mirrors):
            raise ConfigError(
                f"{path}.{step.field}",
                f"has {counted(found, 'entry', 'entries')}; objects have "
                f"{counted(num_keypoints, 'keypoint')}",
                hint="give the index of each keypoint's mirror image, such as the "
                "left eye's for the right eye; its own index where it has none",
            )


def check_densepose(augmentations: Mapping[str, Augmentation]) -> None:
    """Checks that no augmentation mirrors people with DensePose annotations.

    Args:
        augmentations: As built, by their paths in the pipeline config.

    Raises:
        ConfigError: An augmentation does.
    """
    for path, step in augmentations.items():
        if isinstance(step, HorizontalFlip | VerticalFlip) and step.probability:
            raise ConfigError(
                f"{path}.{step.field.partition('.')[0]}",
                "flips people, but the tables of mirrored DensePose points are not "
                "part of this project",
                hint="remove it; random_rotation90 and crops are fine",
            )


STEPS = {
    **GEOMETRY_STEPS,
    **RESIZE_STEPS,
    **PIXEL_STEPS,
    **WARP_STEPS,
    **LABEL_STEPS,
}
