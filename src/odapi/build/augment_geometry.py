"""Builds the geometric steps of `data_augmentation_options`: flips, crops, padding."""

from collections.abc import Callable
from typing import Any

from odapi.build.oneof import call
from odapi.data.augment.crop import CropImage, CropToAspectRatio, SsdRandomCrop
from odapi.data.augment.crop_pad import (
    CropPadImage,
    SsdRandomCropFixedAspectRatio,
    SsdRandomCropPad,
    SsdRandomCropPadFixedAspectRatio,
)
from odapi.data.augment.flip import HorizontalFlip, Rotation90, VerticalFlip
from odapi.data.augment.pad import AbsolutePad, PadImage, PadToAspectRatio
from odapi.data.augment.self_concat import SelfConcat
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale


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


def _operations(config: Any, path: str, build: Callable) -> tuple[Any, ...]:
    return tuple(
        call(build, operation, f"{path}.operations[{index}]")
        for index, operation in enumerate(config.operations)
    )


def _ssd_random_crop(config: Any, path: str) -> SsdRandomCrop:
    operations = _operations(config, path, _crop_image)
    return SsdRandomCrop(operations) if operations else SsdRandomCrop()


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


def _pad_image(config: Any, path: str) -> PadImage:
    # Pairs are complete: see `odapi.config.rules.augmentations`.
    low = (config.min_image_height, config.min_image_width)
    high = (config.max_image_height, config.max_image_width)
    return PadImage(
        low if any(low) else None,
        high if any(high) else None,
        tuple(config.pad_color),
    )


def _crop_pad_image(config: Any, path: str) -> CropPadImage:
    ratios = _padded_size_ratios(config)
    return CropPadImage(
        _crop_image(config, path), *ratios, color=tuple(config.pad_color)
    )


def _padded_size_ratios(config: Any) -> tuple[Any, Any]:
    return (
        tuple(config.min_padded_size_ratio) or (1.0, 1.0),
        tuple(config.max_padded_size_ratio) or (2.0, 2.0),
    )


def _crop_to_aspect_ratio(config: Any, path: str) -> CropToAspectRatio:
    return CropToAspectRatio(
        config.aspect_ratio, config.overlap_thresh, config.clip_boxes
    )


def _crop_pad_operation(config: Any, path: str) -> CropPadImage:
    # Here the colors have defaults: without one, the padding is black.
    color = (config.pad_color_r, config.pad_color_g, config.pad_color_b)
    return CropPadImage(
        _crop_image(config, path), *_padded_size_ratios(config), color=color
    )


def _ssd_random_crop_pad(config: Any, path: str) -> SsdRandomCropPad:
    operations = _operations(config, path, _crop_pad_operation)
    return SsdRandomCropPad(operations) if operations else SsdRandomCropPad()


def _ssd_fixed_aspect_ratio(config: Any, path: str) -> SsdRandomCropFixedAspectRatio:
    return SsdRandomCropFixedAspectRatio(
        _operations(config, path, _crop_of_any_shape), config.aspect_ratio
    )


def _crop_of_any_shape(config: Any, path: str) -> CropImage:
    return CropImage(
        min_object_covered=config.min_object_covered,
        area=(config.min_area, config.max_area),
        overlap_thresh=config.overlap_thresh,
        clip_boxes=config.clip_boxes,
        random_coef=config.random_coef,
    )


def _ssd_pad_fixed_aspect_ratio(
    config: Any, path: str
) -> SsdRandomCropPadFixedAspectRatio:
    pad = PadToAspectRatio(config.aspect_ratio, *_padded_size_ratios(config))
    return SsdRandomCropPadFixedAspectRatio(_ssd_random_crop(config, path), pad)


def _self_concat(config: Any, path: str) -> SelfConcat:
    return SelfConcat(
        config.concat_vertical_probability, config.concat_horizontal_probability
    )


GEOMETRY_STEPS = {
    "random_horizontal_flip": _horizontal_flip,
    "random_vertical_flip": _vertical_flip,
    "random_rotation90": _rotation90,
    "random_crop_image": _crop_image,
    "random_pad_image": _pad_image,
    "random_absolute_pad_image": _absolute_pad,
    "random_crop_pad_image": _crop_pad_image,
    "random_crop_to_aspect_ratio": _crop_to_aspect_ratio,
    "ssd_random_crop": _ssd_random_crop,
    "ssd_random_crop_pad": _ssd_random_crop_pad,
    "ssd_random_crop_fixed_aspect_ratio": _ssd_fixed_aspect_ratio,
    "ssd_random_crop_pad_fixed_aspect_ratio": _ssd_pad_fixed_aspect_ratio,
    "random_square_crop_by_scale": _square_crop_by_scale,
    "random_scale_crop_and_pad_to_square": _scale_crop_pad,
    "random_self_concat_image": _self_concat,
}
