"""The graph that every exported format starts from, in TensorFlow.

TensorFlow is imported inside the function: importing `odapi.exporters` needs no
backend.
"""

from typing import TYPE_CHECKING, Any

from odapi.data.image.resize import Resizer, fixed_size, may_pad
from odapi.errors import ConfigError
from odapi.exporters.named_outputs import detect, named_outputs

if TYPE_CHECKING:
    from odapi.models.detector import Detector


def image_size(detector: "Detector", resizer: Resizer) -> tuple[int | None, int | None]:
    """Returns the height and width of resized images; None where they vary.

    Raises:
        ConfigError: They vary, and the detector takes images of one size.
    """
    if detector.detects_any_size:
        return fixed_size(resizer) or (None, None)
    return fixed_image_size(resizer, "this model")


def fixed_image_size(resizer: Resizer, what: str) -> tuple[int, int]:
    """Returns the height and width of resized images.

    Args:
        resizer: Of a detector.
        what: For the message.

    Raises:
        ConfigError: They vary.
    """
    size = fixed_size(resizer)
    if size is None:
        raise ConfigError(
            "model.image_resizer",
            f"gives images of varying sizes; {what} can be exported for one size only",
            hint="set pad_to_max_dimension of the keep_aspect_ratio_resizer, or use a "
            "fixed_shape_resizer: --set model...image_resizer...",
        )
    return size


def image_channels(detector: "Detector", resizer: Resizer) -> int:
    """Returns the channels of resized images."""
    if resizer.grayscale:  # type: ignore[attr-defined]
        return 1
    return detector.num_channels


def side_specs(detector: "Detector", batch_size: int | None = None) -> list[Any]:
    """Returns the `tf.TensorSpec` of each side input of a detector."""
    import tensorflow as tf

    return [
        tf.TensorSpec([batch_size, *shape], tf.as_dtype(dtype), name=name)
        for name, (shape, dtype) in detector.side_inputs.items()
    ]


def detection_function(
    detector: "Detector",
    resizer: Resizer,
    batch_size: int | None,
    *,
    dtype: str = "float32",
    with_boxes: bool = False,
    raw: bool = True,
) -> Any:
    """Returns the concrete function from resized images to named outputs.

    Its inputs are `images` `[b, h, w, c]` of 0 to 255, `true_size` int32 `[b, 2]` (used
    where the resizer pads), and the side inputs of the detector.

    Args:
        detector: A built detector; Keras must run on TensorFlow.
        resizer: Of the detector.
        batch_size: Images per call; None: any number.
        dtype: Of the images.
        with_boxes: Whether there is an input `boxes` `[b, n, 4]`, for their masks.
        raw: Whether all boxes and scores before NMS are outputs.

    Raises:
        ConfigError: The resizer gives images of varying sizes, and the detector takes
            images of one size.
    """
    import tensorflow as tf

    size = image_size(detector, resizer)
    channels = image_channels(detector, resizer)
    pads = may_pad(resizer)
    side = side_specs(detector, batch_size)

    def detections(
        images: Any, true_size: Any, boxes: Any = None, **side: Any
    ) -> dict[str, Any]:
        images = tf.cast(images, tf.float32)
        # Without padding there is nothing to mask or to clip.
        inputs = {"images": images} | ({"true_size": true_size} if pads else {}) | side
        outputs = named_outputs(detect(detector, inputs, boxes, raw))
        return {name: tf.cast(value, tf.float32) for name, value in outputs.items()}

    return tf.function(detections, autograph=False).get_concrete_function(
        tf.TensorSpec([batch_size, *size, channels], dtype, name="images"),
        tf.TensorSpec([batch_size, 2], tf.int32, name="true_size"),
        *([tf.TensorSpec([batch_size, None, 4], name="boxes")] if with_boxes else []),
        **{spec.name: spec for spec in side},
    )
