"""Base of the heads that predict boxes and classes of anchors: options and outputs."""

import abc
import dataclasses
from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.structures import Tensor

BOXES = "box_encodings"
CLASSES = "class_predictions_with_background"


@dataclasses.dataclass(frozen=True)
class HeadOptions:
    """Outputs of a head and the layers that predict them.

    Args:
        num_logits_per_anchor: Class logits per anchor: the number of classes, plus
            one if the background has a logit.
        code_size: Numbers per encoded box.
        kernel_size: Kernel size of the last convolution.
        use_depthwise: Depthwise and 1 x 1 convolutions instead of full ones.
        bias: Initial bias of the class logits.
        dropout: Dropout rate of the features that the class logits are made from.
        sigmoid: Return probabilities instead of logits.
        clip_range: Minimum and maximum of the box codes; None: no limits.
    """

    num_logits_per_anchor: int
    code_size: int = 4
    kernel_size: int = 3
    use_depthwise: bool = False
    bias: float = 0.0
    dropout: float = 0.0
    sigmoid: bool = False
    clip_range: tuple[float, float] | None = None

    def __post_init__(self):
        if self.use_depthwise and self.kernel_size == 1:
            raise ValueError("use_depthwise needs a kernel_size above 1, got 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if self.clip_range and self.clip_range[0] > self.clip_range[1]:
            raise ValueError(
                "the minimum of clip_range must not exceed its maximum, got "
                f"{self.clip_range}"
            )


class AnchorHead(keras.layers.Layer, abc.ABC):
    """Predicts the box codes and class logits of all anchors, level by level.

    Args:
        num_levels: Number of feature maps.
        options: Outputs of the head.
        hyperparams: Hyperparams of all layers.
    """

    def __init__(
        self,
        num_levels: int,
        options: HeadOptions,
        hyperparams: Hyperparams,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_levels = num_levels
        self.options = options
        self.hyperparams = hyperparams

    @abc.abstractmethod
    def predict_level(
        self, level: int, features: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns box codes and class logits of the anchors of one level.

        Args:
            level: Index of the level.
            features: `[b, h, w, c]`.
            training: Whether dropout is active.

        Returns:
            `[b, h, w, anchors * code_size]` and
            `[b, h, w, anchors * num_logits_per_anchor]`.
        """

    def call(self, features: Sequence[Tensor], training: bool = False):
        """Returns the predictions of all levels, joined.

        Args:
            features: One map `[b, h, w, c]` per level.
            training: Whether dropout is active.

        Returns:
            `BOXES: [b, anchors, code_size]` and
            `CLASSES: [b, anchors, num_logits_per_anchor]`, float32; anchors ordered by
            level, row, column and anchor of the location.
        """
        options = self.options
        boxes, classes = [], []
        for level, maps in enumerate(features):
            codes, logits = self.predict_level(level, maps, training)
            boxes.append(_flatten(codes, options.code_size))
            classes.append(_flatten(logits, options.num_logits_per_anchor))
        codes, logits = _join(boxes), _join(classes)
        return {
            BOXES: ops.clip(codes, *options.clip_range)
            if options.clip_range
            else codes,
            CLASSES: ops.sigmoid(logits) if options.sigmoid else logits,
        }

    def check_num_levels(self, shapes: Sequence[tuple]) -> None:
        """Checks the number of feature maps against the levels with anchors.

        Raises:
            ValueError: They differ.
        """
        if len(shapes) != self.num_levels:
            raise ValueError(
                f"there are {len(shapes)} feature maps, but anchors for "
                f"{self.num_levels}"
            )


def _flatten(predictions: Tensor, size: int) -> Tensor:
    """Returns `[b, h * w * anchors, size]` of `[b, h, w, anchors * size]`."""
    _, height, width, channels = predictions.shape
    if height is None or width is None:
        return ops.reshape(predictions, (ops.shape(predictions)[0], -1, size))
    return ops.reshape(predictions, (-1, height * width * channels // size, size))


def _join(levels: list[Tensor]) -> Tensor:
    """Returns `[b, anchors, size]` float32 of the levels' `[b, n, size]`."""
    joined = ops.concatenate(levels, axis=1) if len(levels) > 1 else levels[0]
    return ops.cast(joined, "float32")
