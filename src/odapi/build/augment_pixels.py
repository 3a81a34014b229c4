"""Builds augmentations that change the values of pixels, not their positions."""

from collections.abc import Callable
from typing import Any

from odapi.data.augment.color import (
    AdjustBrightness,
    AdjustContrast,
    AdjustGamma,
    AdjustHue,
    AdjustSaturation,
    RgbToGray,
)
from odapi.data.augment.degrade import JpegQuality, RandomBlur
from odapi.data.augment.distort import DistortColor
from odapi.data.augment.noise import PatchGaussian, PixelValueScale, RandomNoise
from odapi.data.augment.normalize import NormalizeImage, SubtractChannelMean
from odapi.data.augment.patches import BlackPatches, RandomErasing


def _hue(config: Any, path: str) -> AdjustHue:
    return AdjustHue(config.max_delta)


def _saturation(config: Any, path: str) -> AdjustSaturation:
    return AdjustSaturation(config.min_delta, config.max_delta)


def _contrast(config: Any, path: str) -> AdjustContrast:
    return AdjustContrast(config.min_delta, config.max_delta)


def _brightness(config: Any, path: str) -> AdjustBrightness:
    return AdjustBrightness(config.max_delta)


def _distort_color(config: Any, path: str) -> DistortColor:
    return DistortColor(config.color_ordering)


def _gamma(config: Any, path: str) -> AdjustGamma:
    return AdjustGamma(config.gamma, config.gain)


def _gray(config: Any, path: str) -> RgbToGray:
    return RgbToGray()


def _random_gray(config: Any, path: str) -> RgbToGray:
    return RgbToGray(config.probability)


def _normalize(config: Any, path: str) -> NormalizeImage:
    return NormalizeImage(
        (config.original_minval, config.original_maxval),
        (config.target_minval, config.target_maxval),
    )


def _subtract_mean(config: Any, path: str) -> SubtractChannelMean:
    return SubtractChannelMean(tuple(config.means))


def _pixel_value_scale(config: Any, path: str) -> PixelValueScale:
    return PixelValueScale(config.minval, config.maxval)


def _black_patches(config: Any, path: str) -> BlackPatches:
    return BlackPatches(
        config.max_black_patches, config.probability, config.size_to_image_ratio
    )


def _jpeg_quality(config: Any, path: str) -> JpegQuality:
    return JpegQuality(
        config.random_coef, (config.min_jpeg_quality, config.max_jpeg_quality)
    )


def _patch_gaussian(config: Any, path: str) -> PatchGaussian:
    return PatchGaussian(
        config.random_coef,
        (config.min_patch_size, config.max_patch_size),
        (config.min_gaussian_stddev, config.max_gaussian_stddev),
    )


def _erasing(config: Any, path: str) -> RandomErasing:
    return RandomErasing(
        config.probability, (config.min_area, config.max_area), config.max_rectangles
    )


def _blur(config: Any, path: str) -> RandomBlur:
    return RandomBlur(
        config.probability, config.max_kernel_size, config.motion_probability
    )


def _noise(config: Any, path: str) -> RandomNoise:
    return RandomNoise(config.probability, config.max_stddev)


# Builders `(message, path)` by the name of the step.
PIXEL_STEPS: dict[str, Callable] = {
    "random_adjust_hue": _hue,
    "random_adjust_saturation": _saturation,
    "random_adjust_contrast": _contrast,
    "random_adjust_brightness": _brightness,
    "random_distort_color": _distort_color,
    "adjust_gamma": _gamma,
    "rgb_to_gray": _gray,
    "random_rgb_to_gray": _random_gray,
    "normalize_image": _normalize,
    "subtract_channel_mean": _subtract_mean,
    "random_pixel_value_scale": _pixel_value_scale,
    "random_black_patches": _black_patches,
    "random_jpeg_quality": _jpeg_quality,
    "random_patch_gaussian": _patch_gaussian,
}

# The same for odapi's own augmentations.
OWN_PIXEL_AUGMENTATIONS: dict[str, Callable] = {
    "random_erasing": _erasing,
    "random_blur": _blur,
    "random_noise": _noise,
}
