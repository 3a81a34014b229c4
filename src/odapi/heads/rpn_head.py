"""Head of a region proposal network (RPN): box codes and objectness of anchors."""

from collections.abc import Sequence

import keras
from keras import ops

from odapi.heads.anchor_head import BOXES, CLASSES, HeadOptions
from odapi.heads.per_level_conv_head import PerLevelConvHead
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.stack import Stack

RPN_BOXES = "rpn_box_encodings"
RPN_CLASSES = "rpn_objectness_predictions_with_background"


class ProposalHead(keras.layers.Layer):
    """One convolution shared by all levels, then separate predictions per level.

    Args:
        per_location: Number of anchors per location, per level.
        hyperparams: Hyperparams of all layers, except for the activation: the
            original always uses ReLU6.
        depth: Channels of the convolution.
        kernel_size: Kernel size of the convolution.
        dilation: Dilation rate of the convolution.
        code_size: Numbers per encoded box.

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
        """Returns box codes and objectness of the anchors of all levels.

        Args:
            features: One map `[b, h, w, c]` per level.
            training: Whether norms use the statistics of the batch.

        Returns:
            `RPN_BOXES: [b, anchors, code_size]` and `RPN_CLASSES: [b, anchors, 2]`,
            logits of background and object, float32; anchors ordered by level, row,
            column and anchor of the location.
        """
        return self.predict_maps(self.hidden_maps(features, training), training)

    def hidden_maps(self, features, training=False) -> list:
        """Returns the output of the shared convolution per level."""
        return [self.shared(level, training=training) for level in features]

    def predict_maps(self, hidden, training=False) -> dict:
        """Returns the outputs of the head of the maps of `hidden_maps`."""
        outputs = self.predict(hidden, training=training)
        return {RPN_BOXES: outputs[BOXES], RPN_CLASSES: outputs[CLASSES]}
