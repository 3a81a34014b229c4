"""Inputs of a SavedModel in TensorFlow operations: decoding and resizing.

Every input type becomes a batch of resized images. The resizers mirror
`odapi.data.image.resize`: sizes are equal to the pixel, values up to the rounding of
uint8.

TensorFlow is imported inside functions: importing `odapi.exporters` needs no backend.
"""

from collections.abc import Callable
from typing import Any

from odapi.data.image import resize as host
from odapi.errors import ConfigError
from odapi.exporters.input_types import BOXES, ENCODED, EXAMPLE, check_input_type
from odapi.exporters.saved_model.graph_decode import decode, encoded_of
from odapi.structures import Tensor

# Luma of ITU-R BT.601, as on the host.
_GRAY = (0.2989, 0.5870, 0.1140)


def input_spec(
    input_type: str, batch_size: int | None = None, channels: int = 3
) -> Any:
    """Returns the `tf.TensorSpec` of `input_tensor`.

    Args:
        input_type: One of `INPUT_TYPES`, or `BOXES`.
        batch_size: Images per call; None: any number.
        channels: Channels of the images.

    Raises:
        ConfigError: The input type is unknown.
    """
    import tensorflow as tf

    check_input_type(input_type)
    if input_type in (ENCODED, EXAMPLE):
        return tf.TensorSpec([batch_size], tf.string, name="input_tensor")
    dtype = tf.uint8 if input_type in ("image_tensor", BOXES) else tf.float32
    shape = [batch_size, None, None, channels]
    return tf.TensorSpec(shape, dtype, name="input_tensor")


def prepare(
    input_type: str, resizer: host.Resizer, channels: int = 3
) -> Callable[[Tensor], tuple]:
    """Returns the function from `input_tensor` to the inputs of the detector.

    These are resized and padded images float32 `[b, h, w, c]` in 0..255, and their size
    without padding, int32 `[b, 2]`.
    """
    return {
        "image_tensor": lambda images: resize(resizer, images, channels),
        BOXES: lambda images: resize(resizer, images, channels),
        "float_image_tensor": lambda images: resize(resizer, images, channels),
        ENCODED: lambda files: _resize_files(resizer, files),
        EXAMPLE: lambda examples: _resize_files(resizer, encoded_of(examples)),
    }[input_type]


def resize(
    resizer: host.Resizer, images: Tensor, channels: int = 3
) -> tuple[Tensor, Tensor]:
    """Resizes a batch of images of one size.

    Args:
        resizer: Of the host.
        images: `[b, h, w, channels]`, uint8 or float32.
        channels: Channels of the images.

    Returns:
        float32 `[b, H, W, c]` and the size without padding, int32 `[b, 2]`.

    Raises:
        ConfigError: The resizer has no equivalent here.
    """
    import tensorflow as tf

    if type(resizer) not in _SIZES:
        raise ConfigError(
            "model.image_resizer", f"{type(resizer).__name__} cannot be exported"
        )
    # Servers check no shapes: the name of the operation is part of their message.
    name = f"input_images_must_have_{channels}_channels_RGB"
    if channels > 3:
        name += f"_and_{channels - 3}_more"
    images = tf.ensure_shape(images, [None, None, None, channels], name=name)
    shape = tf.shape(images)
    true, padded = _SIZES[type(resizer)](resizer, shape[1], shape[2])
    # Cast first: converters assume that operations on uint8 return uint8.
    images = tf.cast(images, tf.float32)
    resized = _METHODS[resizer.method](images, true, resizer.keeps_corners)
    if resizer.grayscale:  # type: ignore[attr-defined]
        resized = tf.reduce_sum(resized * tf.constant(_GRAY), axis=-1, keepdims=True)
        channels = 1
    if true is not padded:
        resized = _pad(resized, true, padded, resizer.pad_value)  # type: ignore[attr-defined]
    if true is not padded:
        # Converters such as TFLite's ignore `set_shape` and know no EnsureShape.
        resized = tf.reshape(resized, [-1, padded[0], padded[1], channels])
    static = [tf.get_static_value(side) for side in tf.unstack(padded)]
    resized.set_shape([images.shape[0], *static, channels])
    return resized, tf.tile(tf.stack(true)[None], [shape[0], 1])


def _resize_files(resizer: host.Resizer, files: Tensor) -> tuple[Tensor, Tensor]:
    """Decodes and resizes image files `[b]` of varying sizes."""
    import tensorflow as tf

    def one(data: Tensor) -> tuple[Tensor, Tensor]:
        images, sizes = resize(resizer, decode(data)[None])
        return images[0], sizes[0]

    channels = 1 if resizer.grayscale else 3  # type: ignore[attr-defined]
    shape = [*(host.fixed_size(resizer) or (None, None)), channels]
    specs = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec([2], tf.int32))
    return tf.map_fn(one, files, fn_output_signature=specs)


def _pad(images: Tensor, true: Tensor, padded: Tensor, value: tuple) -> Tensor:
    import tensorflow as tf

    below = [[0, 0], [0, padded[0] - true[0]], [0, padded[1] - true[1]], [0, 0]]
    if not any(value):
        return tf.pad(images, below)
    # Additional channels are padded with zeros.
    rest = (0.0,) * (images.shape[-1] - len(value))
    fill = tf.constant((*value, *rest), tf.float32)
    return tf.pad(images - fill, below) + fill


def _bilinear(images: Tensor, size: Tensor, corners: bool) -> Tensor:
    import tensorflow as tf

    # No half-pixel centers: the models were trained on the grid of TensorFlow 1.
    return tf.raw_ops.ResizeBilinear(images=images, size=size, align_corners=corners)


def _nearest(images: Tensor, size: Tensor, corners: bool) -> Tensor:
    import tensorflow as tf

    op = tf.raw_ops.ResizeNearestNeighbor
    return op(images=images, size=size, align_corners=corners)


def _bicubic(images: Tensor, size: Tensor, corners: bool) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.ResizeBicubic(images=images, size=size, align_corners=corners)


def _area(images: Tensor, size: Tensor, corners: bool) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.ResizeArea(images=images, size=size, align_corners=corners)


_METHODS = {
    "bilinear": _bilinear,
    "nearest": _nearest,
    "bicubic": _bicubic,
    "area": _area,
}


# Each returns (true, padded), int32 [2] tensors; one and the same without padding.


def _fixed(resizer: host.FixedShape, height: Tensor, width: Tensor) -> tuple:
    import tensorflow as tf

    size = tf.constant([resizer.height, resizer.width])
    return size, size


def _keep_aspect(resizer: host.KeepAspectRatio, height: Tensor, width: Tensor) -> tuple:
    import tensorflow as tf

    size = tf.cast(tf.stack([height, width]), tf.float32)
    grown = tf.round(size * (float(resizer.min_dimension) / tf.reduce_min(size)))
    shrunk = tf.round(size * (float(resizer.max_dimension) / tf.reduce_max(size)))
    fits = tf.reduce_max(grown) <= resizer.max_dimension
    true = tf.maximum(tf.cast(tf.where(fits, grown, shrunk), tf.int32), 1)
    if not resizer.pad_to_max:
        return true, true
    return true, tf.constant([resizer.max_dimension] * 2)


def _conditional(
    resizer: host.ConditionalShape, height: Tensor, width: Tensor
) -> tuple:
    import tensorflow as tf

    size = tf.stack([height, width])
    if resizer.condition == "greater":
        side = tf.reduce_max(size)
        target = tf.minimum(side, resizer.threshold)
    else:
        side = tf.reduce_min(size)
        target = tf.maximum(side, resizer.threshold)
    ratio = tf.cast(target, tf.float32) / tf.cast(side, tf.float32)
    true = tf.maximum(tf.cast(tf.cast(size, tf.float32) * ratio, tf.int32), 1)
    return true, true


def _identity(resizer: host.Identity, height: Tensor, width: Tensor) -> tuple:
    import tensorflow as tf

    size = tf.stack([height, width])
    return size, size


def _pad_to_multiple(
    resizer: host.PadToMultiple, height: Tensor, width: Tensor
) -> tuple:
    import tensorflow as tf

    size = tf.stack([height, width])
    return size, size + tf.math.floormod(-size, resizer.multiple)


_SIZES: dict[type, Callable] = {
    host.FixedShape: _fixed,
    host.KeepAspectRatio: _keep_aspect,
    host.ConditionalShape: _conditional,
    host.Identity: _identity,
    host.PadToMultiple: _pad_to_multiple,
}
