"""The operator TFLite_Detection_PostProcess: boxes and NMS in one custom operator.

Runtimes of devices and Google's task libraries know it: it decodes box codes,
suppresses, and returns, in the order of the TF Object Detection API, boxes, classes
(from 0), scores and their number.

Source: `export_tflite_graph_lib_tf2.py` of the original, and
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/kernels/detection_postprocess.cc.
"""

import dataclasses
from typing import Any

import numpy as np

from odapi.data.image.resize import may_pad
from odapi.errors import ConfigError
from odapi.exporters.source import ExportSource
from odapi.exporters.tflite.nms_choice import FIELD, REGULAR
from odapi.heads.anchor_head import BOXES, CLASSES
from odapi.targets.coders import CenterSizeCoder

NAME = "TFLite_Detection_PostProcess"


@dataclasses.dataclass(frozen=True)
class DetectionOp:
    """Attributes of the operator.

    Args:
        max_detections: Size of the result.
        regular: Whether classes are suppressed separately, each box with all of its
            classes; if not, boxes compete across classes, each with its best class.
        max_per_class: With `regular`, maximum number of boxes of a class. It is an
            option of the operator that TensorFlow's converter leaves out.
        score_threshold: Scores must be at least this.
        iou_threshold: Boxes that overlap a kept one more are suppressed.
        scales: Of the box coder: y, x, h, w.
        num_classes: Without background.
        anchors: `[a, 4]`: center y, center x, height and width, normalized.
    """

    max_detections: int
    regular: bool
    max_per_class: int
    score_threshold: float
    iou_threshold: float
    scales: tuple[float, float, float, float]
    num_classes: int
    anchors: np.ndarray

    def function(self) -> Any:
        """Returns the TensorFlow function that converters replace by the operator.

        It takes box codes `[1, a, 4]`, scores `[1, a, classes]` and anchors.
        """
        import tensorflow as tf

        rows = self.max_detections

        def placeholder(codes: Any, scores: Any, anchors: Any) -> tuple[Any, ...]:
            # Only the operator computes; results depend on the inputs, to be kept.
            none = tf.reduce_sum(codes) + tf.reduce_sum(scores) + tf.reduce_sum(anchors)
            boxes = tf.zeros([1, rows, 4]) + none
            return boxes, boxes[..., 0], boxes[..., 1], boxes[:, 0, 2]

        return tf.function(
            placeholder, autograph=False, experimental_implements=self._signature()
        )

    def _signature(self) -> str:
        values: dict[str, tuple[str, Any]] = {
            "max_detections": ("i", self.max_detections),
            "max_classes_per_detection": ("i", 1),
            "use_regular_nms": ("b", str(self.regular).lower()),
            "nms_score_threshold": ("f", self.score_threshold),
            "nms_iou_threshold": ("f", self.iou_threshold),
            "num_classes": ("i", self.num_classes),
        }
        names = ("y_scale", "x_scale", "h_scale", "w_scale")
        values |= {k: ("f", v) for k, v in zip(names, self.scales, strict=True)}
        attributes = [
            f'attr {{ key: "{key}" value {{ {kind}: {value} }} }}'
            for key, (kind, value) in values.items()
        ]
        return " ".join([f'name: "{NAME}"', *attributes])


def detection_op(source: ExportSource, nms: str, size: tuple[int, int]) -> DetectionOp:
    """Returns the operator for a detector.

    Args:
        source: The detector.
        nms: `FAST` or `REGULAR`.
        size: Height and width of the images.

    Raises:
        ConfigError: The detector has no anchors, or codes that the operator cannot
            decode, or the resizer pads.
    """
    from odapi.models.single_stage.anchor_detector import AnchorDetector

    detector: Any = source.detector
    if not isinstance(detector, AnchorDetector):
        raise _refused(nms, "needs an SSD, a RetinaNet or an EfficientDet")
    coder = detector.parts.assigner.coder
    if not isinstance(coder, CenterSizeCoder):
        raise _refused(nms, f"cannot decode the boxes of {type(coder).__name__}")
    if may_pad(source.resizer):
        raise ConfigError(
            FIELD,
            f"{nms}: its boxes are those of the whole input, and the resizer pads",
            hint="use a fixed_shape_resizer: --set model.ssd.image_resizer=...",
        )
    suppression = detector.parts.postprocess.nms
    low, high = np.split(np.asarray(detector.anchors(size)), 2, axis=-1)
    return DetectionOp(
        max_detections=suppression.max_total,
        regular=nms == REGULAR,
        max_per_class=suppression.max_per_class,
        score_threshold=suppression.score_threshold,
        iou_threshold=suppression.iou_threshold,
        scales=coder.scales,
        num_classes=detector.num_classes,
        anchors=np.concatenate([(low + high) / 2, high - low], -1).astype(np.float32),
    )


def heads_function(source: ExportSource, size: tuple[int, int], dtype: str) -> Any:
    """Returns the concrete function from one image to its box codes and scores.

    Args:
        source: An `AnchorDetector`.
        size: Height and width of the image.
        dtype: Of the image, "uint8" or "float32".
    """
    import tensorflow as tf

    from odapi.exporters.detection_function import image_channels

    detector: Any = source.detector
    channels = image_channels(detector, source.resizer)

    def heads(images: Any) -> dict[str, Any]:
        images = tf.cast(images, tf.float32)
        outputs = detector({"images": images}, training=False)
        scores = detector.parts.postprocess.scores(outputs[CLASSES])
        return {"codes": outputs[BOXES], "scores": scores}

    spec = tf.TensorSpec([1, *size, channels], dtype, name="images")
    return tf.function(heads, autograph=False).get_concrete_function(spec)


def _refused(nms: str, problem: str) -> ConfigError:
    return ConfigError(
        FIELD, f"{nms} {problem}", hint="leave it out: NMS is in the graph then"
    )
