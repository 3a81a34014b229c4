"""Allowed ranges of the numeric fields of augmentations, for `ranges`."""

from odapi.config.rules.number_range import Range

_SHARE = Range(0, 1)
_POSITIVE = Range(0, above=True)
_NOT_NEGATIVE = Range(0)
_AT_LEAST_ONE = Range(1)
_SIZE = Range(1, 16384)

RANGES: dict[str, Range] = {
    "RandomHorizontalFlip.probability": _SHARE,
    "RandomAdjustBrightness.max_delta": _SHARE,
    "RandomAdjustContrast.min_delta": _NOT_NEGATIVE,
    "RandomAdjustContrast.max_delta": _NOT_NEGATIVE,
    "RandomAdjustHue.max_delta": Range(0, 0.5),
    "RandomAdjustSaturation.min_delta": _NOT_NEGATIVE,
    "RandomAdjustSaturation.max_delta": _NOT_NEGATIVE,
    "RandomDistortColor.color_ordering": _SHARE,
    "AdjustGamma.gamma": _NOT_NEGATIVE,
    "AdjustGamma.gain": _NOT_NEGATIVE,
    "RandomRGBtoGray.probability": _SHARE,
    "RandomPixelValueScale.minval": _NOT_NEGATIVE,
    "RandomPixelValueScale.maxval": _NOT_NEGATIVE,
    "RandomBlackPatches.max_black_patches": _NOT_NEGATIVE,
    "RandomBlackPatches.probability": _SHARE,
    "RandomBlackPatches.size_to_image_ratio": _SHARE,
    "RandomJpegQuality.random_coef": _SHARE,
    "RandomJpegQuality.min_jpeg_quality": Range(0, 100),
    "RandomJpegQuality.max_jpeg_quality": Range(0, 100),
    "RandomPatchGaussian.random_coef": _SHARE,
    "RandomPatchGaussian.min_patch_size": _AT_LEAST_ONE,
    "RandomPatchGaussian.max_patch_size": _AT_LEAST_ONE,
    "RandomPatchGaussian.min_gaussian_stddev": _NOT_NEGATIVE,
    "RandomPatchGaussian.max_gaussian_stddev": _NOT_NEGATIVE,
    "RandomErasing.probability": _SHARE,
    "RandomErasing.min_area": _SHARE,
    "RandomErasing.max_area": _SHARE,
    "RandomErasing.max_rectangles": Range(1, 100),
    "RandomBlur.probability": _SHARE,
    "RandomBlur.max_kernel_size": Range(3, 99),
    "RandomBlur.motion_probability": _SHARE,
    "RandomNoise.probability": _SHARE,
    "RandomNoise.max_stddev": _SHARE,
    **{
        f"{message}.{field}": allowed
        for message in ("RandomCropImage", "SSDRandomCropOperation")
        for field, allowed in {
            "min_object_covered": _SHARE,
            "min_aspect_ratio": _POSITIVE,
            "max_aspect_ratio": _POSITIVE,
            "min_area": _SHARE,
            "max_area": Range(0, 1, above=True),
            "overlap_thresh": _SHARE,
            "random_coef": _SHARE,
        }.items()
    },
    "RandomAbsolutePadImage.max_height_padding": _AT_LEAST_ONE,
    "RandomAbsolutePadImage.max_width_padding": _AT_LEAST_ONE,
    "RandomAbsolutePadImage.pad_color": Range(0, 255),
    "RandomSquareCropByScale.max_border": _AT_LEAST_ONE,
    "RandomSquareCropByScale.scale_min": _POSITIVE,
    "RandomSquareCropByScale.scale_max": _POSITIVE,
    "RandomSquareCropByScale.num_scales": _AT_LEAST_ONE,
    "RandomScaleCropAndPadToSquare.output_size": _SIZE,
    "RandomScaleCropAndPadToSquare.scale_min": _POSITIVE,
    "RandomScaleCropAndPadToSquare.scale_max": _POSITIVE,
    "RandomMosaic.probability": _SHARE,
    "RandomMosaic.min_scale": _POSITIVE,
    "RandomMosaic.max_scale": _POSITIVE,
    "RandomMosaic.overlap_thresh": _SHARE,
    "RandomMixUp.probability": _SHARE,
    "RandomMixUp.alpha": _POSITIVE,
    "RandomCopyPaste.probability": _SHARE,
    "RandomCopyPaste.max_objects": _AT_LEAST_ONE,
    "RandomCopyPaste.overlap_thresh": _SHARE,
}

# Pairs (lower, upper) of the same message that must not cross.
ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    "RandomAdjustContrast": (("min_delta", "max_delta"),),
    "RandomAdjustSaturation": (("min_delta", "max_delta"),),
    "RandomErasing": (("min_area", "max_area"),),
    "RandomPixelValueScale": (("minval", "maxval"),),
    "RandomJpegQuality": (("min_jpeg_quality", "max_jpeg_quality"),),
    "RandomPatchGaussian": (
        ("min_patch_size", "max_patch_size"),
        ("min_gaussian_stddev", "max_gaussian_stddev"),
    ),
    "RandomCropImage": (
        ("min_aspect_ratio", "max_aspect_ratio"),
        ("min_area", "max_area"),
    ),
    "SSDRandomCropOperation": (
        ("min_aspect_ratio", "max_aspect_ratio"),
        ("min_area", "max_area"),
    ),
    "RandomSquareCropByScale": (("scale_min", "scale_max"),),
    "RandomScaleCropAndPadToSquare": (("scale_min", "scale_max"),),
    "RandomMosaic": (("min_scale", "max_scale"),),
}
