"""What prediction heads have in common: names, options, the form of the output."""

import dataclasses

from keras import ops

BOXES = "box_encodings"
CLASSES = "class_predictions_with_background"


@dataclasses.dataclass(frozen=True)
class HeadOptions:
    """What a head predicts, and how.

    Args:
        num_logits_per_anchor: Class logits per anchor: the number of classes, plus
            one if the background has a logit.
        code_size: Numbers per encoded box.
        kernel_size: Side of the last convolution.
        use_depthwise: Depthwise and 1 x 1 convolutions instead of full ones.
        bias: Initial bias of the class scores.
        dropout: Share of the features that is dropped before the class scores.
        sigmoid: Give probabilities instead of logits.
        clip_range: Least and largest code of a box; None for no bounds.
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
            raise ValueError(f"the clip range is upside down: {self.clip_range}")

    def clip(self, codes):
        """Returns the codes of boxes, bounded."""
        return ops.clip(codes, *self.clip_range) if self.clip_range else codes

    def convert(self, logits):
        """Returns the class scores as they leave the head."""
        return ops.sigmoid(logits) if self.sigmoid else logits


def flat(predictions, size: int):
    """Returns `[b, h * w * anchors, size]` of `[b, h, w, anchors * size]`."""
    _, height, width, channels = predictions.shape
    if height is None or width is None:
        return ops.reshape(predictions, (ops.shape(predictions)[0], -1, size))
    return ops.reshape(predictions, (-1, height * width * channels // size, size))


def join(levels: list):
    """Returns all levels `[b, n, size]` in one, float32."""
    joined = ops.concatenate(levels, axis=1) if len(levels) > 1 else levels[0]
    return ops.cast(joined, "float32")
