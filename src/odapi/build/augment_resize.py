"""Builds the steps of `data_augmentation_options` that change the image's size."""

from typing import Any

from odapi.config.protos import preprocessor_pb2
from odapi.data.augment.resize import (
    DownscaleToPixels,
    ImageScale,
    Resize,
    ResizeByRandomMethod,
)
from odapi.data.image.resize import FixedShape, Method

_METHODS: dict[int, Method] = {
    preprocessor_pb2.ResizeImage.AREA: "area",
    preprocessor_pb2.ResizeImage.BICUBIC: "bicubic",
    preprocessor_pb2.ResizeImage.BILINEAR: "bilinear",
    preprocessor_pb2.ResizeImage.NEAREST_NEIGHBOR: "nearest",
}
# The original's code takes this, and not the default of its schema.
_MAX_TARGET_PIXELS = 800_000


def _image_scale(config: Any, path: str) -> ImageScale:
    return ImageScale(config.min_scale_ratio, config.max_scale_ratio)


def _resize_image(config: Any, path: str) -> Resize:
    method = _METHODS[config.method]
    return Resize(FixedShape(config.new_height, config.new_width, method=method))


def _resize_method(config: Any, path: str) -> ResizeByRandomMethod:
    return ResizeByRandomMethod(config.target_height, config.target_width)


def _downscale(config: Any, path: str) -> DownscaleToPixels:
    given = config.HasField("max_target_pixels")
    return DownscaleToPixels(
        config.min_target_pixels,
        config.max_target_pixels if given else _MAX_TARGET_PIXELS,
        config.random_coef,
    )


RESIZE_STEPS = {
    "random_image_scale": _image_scale,
    "resize_image": _resize_image,
    "random_resize_method": _resize_method,
    "random_downscale_to_target_pixels": _downscale,
}
