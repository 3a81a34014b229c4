"""What an exported model does around the detector, in TensorFlow operations.

Every kind of input becomes a batch of resized images; every detection gets the
original's name. The resizers mirror `odapi.data.image.resize`: the same sizes to the
pixel, the same values up to the rounding of uint8.

TensorFlow is imported inside functions: `import odapi.exporters` needs no backend.
"""

from collections.abc import Callable
from typing import Any

from odapi.data.image import resize as host
from odapi.errors import ConfigError, unknown_choice
from odapi.structures import Detections, Tensor

# Luma of ITU-R BT.601, as on the host.
_GRAY = (0.2989, 0.5870, 0.1140)

_ENCODED = "encoded_image_string_tensor"
_EXAMPLE = "tf_example"
# Every model takes these.
INPUT_TYPES = ("image_tensor", "float_image_tensor", _ENCODED, _EXAMPLE)
# Also takes `boxes`; of models that make masks of boxes that are given.
BOXES = "image_and_boxes_tensor"


def check_input_type(input_type: str) -> None:
    """Raises ConfigError where there is no such input type."""
    known = (*INPUT_TYPES, BOXES)
    if input_type not in known:
        raise unknown_choice("input_type", input_type, known)


def input_spec(input_type: str, batch_size: int | None = None) -> Any:
    """Returns the `tf.TensorSpec` of `input_tensor`.

    Args:
        input_type: One of `INPUT_TYPES`, or `BOXES`.
        batch_size: Images a call; None: any number.

    Raises:
        ConfigError: No such input type.
    """
    import tensorflow as tf

    check_input_type(input_type)
    if input_type in (_ENCODED, _EXAMPLE):
        return tf.TensorSpec([batch_size], tf.string, name="input_tensor")
    dtype = tf.uint8 if input_type in ("image_tensor", BOXES) else tf.float32
    shape = [batch_size, None, None, 3]
    return tf.TensorSpec(shape, dtype, name="input_tensor")


def side_specs(detector: Any, batch_size: int | None = None) -> list[Any]:
    """Returns a `tf.TensorSpec` for each thing that a detector reads besides images."""
    import tensorflow as tf

    return [
        tf.TensorSpec([batch_size, *shape], tf.as_dtype(dtype), name=name)
        for name, (shape, dtype) in getattr(detector, "side_inputs", {}).items()
    ]


def prepare(input_type: str, resizer: host.Resizer) -> Callable[[Tensor], tuple]:
    """Returns the function from `input_tensor` to what the detector takes.

    That is images float32 `[b, h, w, c]` in 0..255, resized and padded, and their
    true size int32 `[b, 2]`.
    """
    return {
        "image_tensor": lambda images: resize(resizer, images),
        BOXES: lambda images: resize(resizer, images),
        "float_image_tensor": lambda images: resize(resizer, images),
        _ENCODED: lambda encoded: _decode(resizer, encoded),
        _EXAMPLE: lambda examples: _decode(resizer, _encoded_of(examples)),
    }[input_type]


def resize(resizer: host.Resizer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Resizes a batch of images of one size.

    Args:
        resizer: As on the host.
        images: `[b, h, w, 3]`, uint8 or float32.

    Returns:
        float32 `[b, H, W, c]` and the size without padding, int32 `[b, 2]`.

    Raises:
        ConfigError: The resizer has no twin here.
    """
    import tensorflow as tf

    if type(resizer) not in _SIZES:
        raise ConfigError(
            "model.image_resizer", f"{type(resizer).__name__} cannot be exported"
        )
    shape = tf.shape(images)
    true, padded = _SIZES[type(resizer)](resizer, shape[1], shape[2])
    # Cast first: converters take an operation on uint8 to give uint8 as well.
    images = tf.cast(images, tf.float32)
    resized = _METHODS[resizer.method](images, true)  # type: ignore[attr-defined]
    if resizer.grayscale:  # type: ignore[attr-defined]
        resized = tf.reduce_sum(resized * tf.constant(_GRAY), axis=-1, keepdims=True)
    if true is not padded:
        resized = _pad(resized, true, padded, resizer.pad_value)  # type: ignore[attr-defined]
    static = [tf.get_static_value(side) for side in tf.unstack(padded)]
    resized.set_shape([None, *static, None])
    return resized, tf.tile(tf.stack(true)[None], [shape[0], 1])


def outputs(detections: Detections) -> dict[str, Tensor]:
    """Returns detections by the original's names, float32, classes counted from 1."""
    import tensorflow as tf

    named = {
        "detection_boxes": detections.boxes,
        "detection_scores": detections.scores,
        "detection_classes": detections.classes + 1,
        "detection_multiclass_scores": detections.multiclass_scores,
        "detection_anchor_indices": detections.anchor_indices,
        "num_detections": detections.num,
        "raw_detection_boxes": detections.raw_boxes,
        "raw_detection_scores": detections.raw_scores,
        "detection_masks": detections.masks,
        "detection_features": detections.features,
        "cropped_rpn_box_features": detections.rpn_features,
        "detection_keypoints": detections.keypoints,
        "detection_keypoint_scores": detections.keypoint_scores,
        "detection_keypoint_depths": detections.keypoint_depths,
        "detection_boxes_strided": detections.boxes_strided,
        "detection_surface_coords": detections.surface_coords,
        "detection_embeddings": detections.embeddings,
        "detection_temporal_offsets": detections.temporal_offsets,
        **(detections.maps or {}),
    }
    return {k: tf.cast(v, tf.float32) for k, v in named.items() if v is not None}


def with_masks_of(detector: Any, inputs: dict[str, Tensor], boxes: Tensor) -> dict:
    """Returns what a detector finds, but with the masks of boxes that are given.

    Args:
        detector: One that makes such masks.
        inputs: As it takes them.
        boxes: `[b, n, 4]` normalised to the images without padding.
    """
    import tensorflow as tf

    predicted = detector(inputs, training=False)
    found = detector.detect(inputs, predicted, raw=True)
    # One more, since TensorFlow's convolutions stumble over none.
    more = tf.concat([boxes, tf.zeros([tf.shape(boxes)[0], 1, 4])], axis=1)
    masks = detector.masks_from_boxes(inputs, more, predicted)[:, :-1]
    return outputs(found._replace(masks=masks))


def _encoded_of(examples: Tensor) -> Tensor:
    """Returns the encoded images of serialised tf.Examples, both `[b]`."""
    import tensorflow as tf

    feature = tf.io.FixedLenFeature([], tf.string)
    return tf.io.parse_example(examples, {"image/encoded": feature})["image/encoded"]


def _decode(resizer: host.Resizer, encoded: Tensor) -> tuple[Tensor, Tensor]:
    """Decodes and resizes image files `[b]`, each of its own size."""
    import tensorflow as tf

    def one(data: Tensor) -> tuple[Tensor, Tensor]:
        image = tf.io.decode_image(data, channels=3, expand_animations=False)
        image.set_shape([None, None, 3])
        images, sizes = resize(resizer, image[None])
        return images[0], sizes[0]

    channels = 1 if resizer.grayscale else 3  # type: ignore[attr-defined]
    shape = [*(host.fixed_size(resizer) or (None, None)), channels]
    specs = (tf.TensorSpec(shape, tf.float32), tf.TensorSpec([2], tf.int32))
    return tf.map_fn(one, encoded, fn_output_signature=specs)


def _pad(images: Tensor, true: Tensor, padded: Tensor, value: tuple) -> Tensor:
    import tensorflow as tf

    below = [[0, 0], [0, padded[0] - true[0]], [0, padded[1] - true[1]], [0, 0]]
    if not any(value):
        return tf.pad(images, below)
    fill = tf.constant(value, tf.float32)
    return tf.pad(images - fill, below) + fill


def _bilinear(images: Tensor, size: Tensor) -> Tensor:
    import tensorflow as tf

    # Never half pixels: the models were trained on the grid of TensorFlow 1.
    return tf.raw_ops.ResizeBilinear(images=images, size=size)


def _nearest(images: Tensor, size: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.ResizeNearestNeighbor(images=images, size=size)


def _bicubic(images: Tensor, size: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.ResizeBicubic(images=images, size=size)


def _area(images: Tensor, size: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.ResizeArea(images=images, size=size)


_METHODS = {
    "bilinear": _bilinear,
    "nearest": _nearest,
    "bicubic": _bicubic,
    "area": _area,
}


# Each returns (true, padded), int32 [2] tensors; the same one where nothing is padded.


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
