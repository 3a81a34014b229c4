"""Builds image resizers from their messages."""

from typing import Any

from odapi.build.oneof import build_oneof
from odapi.config.protos import image_resizer_pb2
from odapi.data.image.resize import (
    ConditionalShape,
    FixedShape,
    Identity,
    KeepAspectRatio,
    Method,
    PadToMultiple,
    Resizer,
)
from odapi.errors import ConfigError

_METHODS: dict[int, Method] = {
    image_resizer_pb2.BILINEAR: "bilinear",
    image_resizer_pb2.NEAREST_NEIGHBOR: "nearest",
    image_resizer_pb2.BICUBIC: "bicubic",
    image_resizer_pb2.AREA: "area",
}


def build_resizer(config: Any, path: str = "image_resizer") -> Resizer:
    """Returns the image resizer of an `ImageResizer` message.

    Args:
        config: An ImageResizer message.
        path: Where it is in the pipeline config, for messages.

    Raises:
        ConfigError: None is set, or a value is not allowed.
    """
    return build_oneof(config, "image_resizer_oneof", _RESIZERS, path)


def model_resizer(config: Any) -> Resizer:
    """Returns the resizer of the model of a TrainEvalPipelineConfig.

    Raises:
        ConfigError: There is no model, or its resizer cannot be built.
    """
    model = config.model.WhichOneof("model")
    if model is None:
        raise ConfigError("model", "is empty; name an architecture, such as ssd")
    message = getattr(config.model, model)
    if "image_resizer" not in message.DESCRIPTOR.fields_by_name:
        raise ConfigError(f"model.{model}", "has no image_resizer")
    return build_resizer(message.image_resizer, f"model.{model}.image_resizer")


def _fixed_shape(config: Any, path: str) -> FixedShape:
    return FixedShape(
        config.height,
        config.width,
        method=_METHODS[config.resize_method],
        grayscale=config.convert_to_grayscale,
    )


def _keep_aspect_ratio(config: Any, path: str) -> KeepAspectRatio:
    return KeepAspectRatio(
        config.min_dimension,
        config.max_dimension,
        pad_to_max=config.pad_to_max_dimension,
        pad_value=tuple(config.per_channel_pad_value),
        method=_METHODS[config.resize_method],
        grayscale=config.convert_to_grayscale,
    )


def _identity(config: Any, path: str) -> Identity:
    return Identity()


def _conditional_shape(config: Any, path: str) -> ConditionalShape:
    return ConditionalShape(
        config.enum_name("condition"),
        config.size_threshold,
        method=_METHODS[config.resize_method],
        grayscale=config.convert_to_grayscale,
    )


def _pad_to_multiple(config: Any, path: str) -> PadToMultiple:
    return PadToMultiple(config.multiple, grayscale=config.convert_to_grayscale)


_RESIZERS = {
    "fixed_shape_resizer": _fixed_shape,
    "keep_aspect_ratio_resizer": _keep_aspect_ratio,
    "identity_resizer": _identity,
    "conditional_shape_resizer": _conditional_shape,
    "pad_to_multiple_resizer": _pad_to_multiple,
}
