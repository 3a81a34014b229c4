"""The head of a region proposal network: codes and objectness of anchors."""

from collections.abc import Sequence

import keras
from keras import ops

from odapi.heads.outputs import BOXES, CLASSES, HeadOptions
from odapi.heads.per_level_conv import PerLevelConvHead
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.stack import Stack

RPN_BOXES = "rpn_box_encodings"
RPN_CLASSES = "rpn_objectness_predictions_with_background"


class ProposalHead(keras.layers.Layer):
    """One convolution for all levels, then codes and objectness a level.

    Args:
        per_location: Anchors at a position of each level.
        hyperparams: Of all layers; the activation does not matter, since the
            original always takes ReLU up to 6.
        depth: Channels of the convolution.
        kernel_size: Its side.
        dilation: Its dilation.
        code_size: Numbers that code a box.

    Source: Ren et al. 2015 (https://arxiv.org/abs/1506.01497), section 3.1; the
    original's `meta_architectures/faster_rcnn_meta_arch.py`.
    """

    def __init__(
        self,
        per_location: Sequence[int],
        hyperparams: Hyperparams,
        depth: int = 512,
        kernel_size: int = 3,
        dilation: int = 1,
        code_size: int = 4,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value in (
            ("first_stage_box_predictor_depth", depth),
            ("first_stage_box_predictor_kernel_size", kernel_size),
            ("first_stage_atrous_rate", dilation),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")
        conv = hyperparams.conv(depth, kernel_size, "rpn/conv", dilation_rate=dilation)
        steps = [conv, hyperparams.norm_layer("norm")]
        steps.append(keras.layers.Activation(ops.relu6, dtype=hyperparams.dtype))
        self.shared = Stack(steps, name="shared", dtype=hyperparams.dtype)
        self.predict = PerLevelConvHead(
            per_location,
            HeadOptions(num_logits_per_anchor=2, code_size=code_size, kernel_size=1),
            hyperparams,
            name="predict",
            dtype=hyperparams.dtype,
        )

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the levels."""
        self.shared.build(input_shape[0])
        self.predict.build([self.shared.compute_output_shape(s) for s in input_shape])

    def call(self, features, training=False):
        """Returns what is said of the anchors of all levels.

        Args:
            features: The levels, each `[b, h, w, c]`.
            training: Whether a norm takes the statistics of the batch.

        Returns:
            `RPN_BOXES: [b, anchors, code_size]` and `RPN_CLASSES: [b, anchors, 2]`
            logits of background and object, float32, anchors by level, row, column
            and anchor.
        """
        return self.read(self.look(features, training), training)

    def look(self, features, training=False) -> list:
        """Returns what the convolution makes of each level."""
        return [self.shared(level, training=training) for level in features]

    def read(self, looks, training=False) -> dict:
        """Returns codes and objectness of what `look` returned."""
        found = self.predict(looks, training=training)
        return {RPN_BOXES: found[BOXES], RPN_CLASSES: found[CLASSES]}
