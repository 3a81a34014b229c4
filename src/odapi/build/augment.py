"""Builds augmentations from the steps of `data_augmentation_options`."""

from collections.abc import Iterable, Mapping
from typing import Any

from odapi.build.augment_pixels import PIXEL_STEPS
from odapi.build.oneof import build_oneof, call
from odapi.data.augment.crop import CropImage, SsdRandomCrop
from odapi.data.augment.flip import HorizontalFlip, RandomFlip, Rotation90, VerticalFlip
from odapi.data.augment.pad import AbsolutePad
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale
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
    return build_oneof(step, "preprocessing_step", _STEPS, path)


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


def _horizontal_flip(config: Any, path: str) -> HorizontalFlip:
    return HorizontalFlip(config.probability, tuple(config.keypoint_flip_permutation))


def _vertical_flip(config: Any, path: str) -> VerticalFlip:
    return VerticalFlip(config.probability, tuple(config.keypoint_flip_permutation))


def _rotation90(config: Any, path: str) -> Rotation90:
    return Rotation90(config.probability, tuple(config.keypoint_rot_permutation))


def _crop_image(config: Any, path: str) -> CropImage:
    return CropImage(
        min_object_covered=config.min_object_covered,
        aspect_ratio=(config.min_aspect_ratio, config.max_aspect_ratio),
        area=(config.min_area, config.max_area),
        overlap_thresh=config.overlap_thresh,
        clip_boxes=config.clip_boxes,
        random_coef=config.random_coef,
    )


def _ssd_random_crop(config: Any, path: str) -> SsdRandomCrop:
    if not config.operations:
        return SsdRandomCrop()
    return SsdRandomCrop(
        tuple(
            call(_crop_image, operation, f"{path}.operations[{index}]")
            for index, operation in enumerate(config.operations)
        )
    )


def _square_crop_by_scale(config: Any, path: str) -> SquareCropByScale:
    return SquareCropByScale(
        config.max_border,
        config.scale_min,
        config.scale_max,
        config.num_scales,
    )


def _scale_crop_pad(config: Any, path: str) -> ScaleCropPadToSquare:
    return ScaleCropPadToSquare(config.output_size, config.scale_min, config.scale_max)


def _absolute_pad(config: Any, path: str) -> AbsolutePad:
    # The original's schema has no defaults here; its code takes 1 for 0.
    return AbsolutePad(
        config.max_height_padding or 1,
        config.max_width_padding or 1,
        tuple(config.pad_color),
    )


_STEPS = {
    **PIXEL_STEPS,
    "random_horizontal_flip": _horizontal_flip,
    "random_vertical_flip": _vertical_flip,
    "random_rotation90": _rotation90,
    "random_crop_image": _crop_image,
    "ssd_random_crop": _ssd_random_crop,
    "random_square_crop_by_scale": _square_crop_by_scale,
    "random_scale_crop_and_pad_to_square": _scale_crop_pad,
    "random_absolute_pad_image": _absolute_pad,
}
