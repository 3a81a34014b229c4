"""Allowed ranges of the numeric fields of augmentations, for `ranges`."""

from odapi.config.rules.number_range import Range

_SHARE = Range(0, 1)
_POSITIVE = Range(0, above=True)
_NOT_NEGATIVE = Range(0)
_AT_LEAST_ONE = Range(1)
_SIZE = Range(1, 16384)

_COLOR = Range(0, 255)

_CROP = {
    "min_object_covered": _SHARE,
    "min_area": _SHARE,
    "max_area": Range(0, 1, above=True),
    "overlap_thresh": _SHARE,
    "random_coef": _SHARE,
}
_SHAPED_CROP = {
    **_CROP,
    "min_aspect_ratio": _POSITIVE,
    "max_aspect_ratio": _POSITIVE,
}
_PADDED_SIZE = {
    "min_padded_size_ratio": _POSITIVE,
    "max_padded_size_ratio": _POSITIVE,
}
_BY_MESSAGE: dict[str, dict[str, Range]] = {
    "RandomCropImage": _SHAPED_CROP,
    "SSDRandomCropOperation": _SHAPED_CROP,
    "RandomImageScale": {"min_scale_ratio": _POSITIVE, "max_scale_ratio": _POSITIVE},
    "RandomJitterBoxes": {"ratio": _NOT_NEGATIVE},
    "RandomPadImage": {
        **dict.fromkeys(
            (
                "min_image_height", "min_image_width",
                "max_image_height", "max_image_width",
            ),
            _SIZE,
        ),
        "pad_color": _COLOR,
    },
    "RandomCropPadImage": {**_SHAPED_CROP, **_PADDED_SIZE, "pad_color": _COLOR},
    "RandomCropToAspectRatio": {"aspect_ratio": _POSITIVE, "overlap_thresh": _SHARE},
    "SSDRandomCropPadOperation": {
        **_SHAPED_CROP, **_PADDED_SIZE,
        **{f"pad_color_{color}": _COLOR for color in "rgb"},
    },
    "SSDRandomCropFixedAspectRatioOperation": _CROP,
    "SSDRandomCropFixedAspectRatio": {"aspect_ratio": _POSITIVE},
    "SSDRandomCropPadFixedAspectRatioOperation": _SHAPED_CROP,
    "SSDRandomCropPadFixedAspectRatio": {**_PADDED_SIZE, "aspect_ratio": _POSITIVE},
    "RandomResizeMethod": {"target_height": _SIZE, "target_width": _SIZE},
    "ResizeImage": {"new_height": _SIZE, "new_width": _SIZE},
    "RandomDownscaleToTargetPixels": {
        "min_target_pixels": _AT_LEAST_ONE,
        "max_target_pixels": _AT_LEAST_ONE,
        "random_coef": _SHARE,
    },
    "ConvertClassLogitsToSoftmax": {"temperature": _POSITIVE},
    "RandomSelfConcatImage": {
        "concat_vertical_probability": _SHARE,
        "concat_horizontal_probability": _SHARE,
    },
    "DropLabelProbabilistically": {
        "label": _AT_LEAST_ONE,
        "drop_probability": _SHARE,
    },
    "RemapLabels": {"original_labels": _AT_LEAST_ONE, "new_label": _AT_LEAST_ONE},
}  # fmt: skip

RANGES: dict[str, Range] = {
    **{
        f"{message}.{field}": allowed
        for message, fields in _BY_MESSAGE.items()
        for field, allowed in fields.items()
    },
    "RandomHorizontalFlip.probability": _SHARE,
    "RandomVerticalFlip.probability": _SHARE,
    "RandomRotation90.probability": _SHARE,
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
    "RandomPerspective.probability": _SHARE,
    "RandomPerspective.max_rotation": Range(0, 180),
    "RandomPerspective.max_shear": Range(0, 80),
    "RandomPerspective.min_scale": _POSITIVE,
    "RandomPerspective.max_scale": _POSITIVE,
    "RandomPerspective.max_translation": _SHARE,
    "RandomPerspective.max_perspective": Range(0, 1, below=True),
    "RandomPerspective.overlap_thresh": _SHARE,
    "RandomBlur.probability": _SHARE,
    "RandomBlur.max_kernel_size": Range(3, 99),
    "RandomBlur.motion_probability": _SHARE,
    "RandomNoise.probability": _SHARE,
    "RandomNoise.max_stddev": _SHARE,
    "RandomAbsolutePadImage.max_height_padding": _AT_LEAST_ONE,
    "RandomAbsolutePadImage.max_width_padding": _AT_LEAST_ONE,
    "RandomAbsolutePadImage.pad_color": Range(0, 255),
    "RandomSquareCropByScale.max_border": _AT_LEAST_ONE,
    "RandomSquareCropByScale.scale_min": _POSITIVE,
    "RandomSquareCropByScale.scale_max": _POSITIVE,
    "RandomSquareCropByScale.num_scales": Range(1, 10000),
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

_AREA, _ASPECT = ("min_area", "max_area"), ("min_aspect_ratio", "max_aspect_ratio")

# Pairs (lower, upper) of the same message that must not cross.
ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    "RandomAdjustContrast": (("min_delta", "max_delta"),),
    "RandomAdjustSaturation": (("min_delta", "max_delta"),),
    "RandomPerspective": (("min_scale", "max_scale"),),
    "RandomErasing": (("min_area", "max_area"),),
    "RandomPixelValueScale": (("minval", "maxval"),),
    "RandomJpegQuality": (("min_jpeg_quality", "max_jpeg_quality"),),
    "RandomPatchGaussian": (
        ("min_patch_size", "max_patch_size"),
        ("min_gaussian_stddev", "max_gaussian_stddev"),
    ),
    "RandomImageScale": (("min_scale_ratio", "max_scale_ratio"),),
    "RandomCropImage": (_ASPECT, _AREA),
    "RandomCropPadImage": (_ASPECT, _AREA),
    "SSDRandomCropOperation": (_ASPECT, _AREA),
    "SSDRandomCropPadOperation": (_ASPECT, _AREA),
    "SSDRandomCropFixedAspectRatioOperation": (_AREA,),
    "SSDRandomCropPadFixedAspectRatioOperation": (_ASPECT, _AREA),
    "RandomSquareCropByScale": (("scale_min", "scale_max"),),
    "RandomScaleCropAndPadToSquare": (("scale_min", "scale_max"),),
    "RandomMosaic": (("min_scale", "max_scale"),),
}
