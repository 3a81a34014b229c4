"""Prediction heads with weights of their own for each level."""

from collections.abc import Sequence

import keras

from odapi.heads.outputs import BOXES, CLASSES, HeadOptions, flat, join
from odapi.layers.hyperparams import NEITHER, Hyperparams
from odapi.layers.stack import Stack, conv_norm_activation


class PerLevelConvHead(keras.layers.Layer):
    """Predicts boxes and classes from each level by convolutions of its own.

    Args:
        per_location: Anchors at a position of each level.
        options: What is predicted, and how.
        hyperparams: Of all layers.
        num_layers: 1 x 1 convolutions before the predictions.
        min_depth, max_depth: Bounds of their channels, which otherwise are those
            of the level; a `max_depth` of 0 leaves them out.

    Source: Liu et al. 2016 (https://arxiv.org/abs/1512.02325), section 2.1.
    """

    def __init__(
        self,
        per_location: Sequence[int],
        options: HeadOptions,
        hyperparams: Hyperparams,
        num_layers: int = 0,
        min_depth: int = 0,
        max_depth: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if min_depth > max_depth:
            raise ValueError(f"min_depth {min_depth} is above max_depth {max_depth}")
        self.options = options
        self.hyperparams = hyperparams
        self.num_layers = num_layers
        self.depth_bounds = (min_depth, max_depth)
        self.shared: list[Stack] = []
        numbered = list(enumerate(per_location))
        self.box_heads = [
            self._head(f"box_{n}", count * options.code_size, 0.0, False)
            for n, count in numbered
        ]
        self.class_heads = [
            self._head(
                f"class_{n}", count * options.num_logits_per_anchor, options.bias, True
            )
            for n, count in numbered
        ]

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the levels."""
        if len(input_shape) != len(self.box_heads):
            raise ValueError(
                f"there are {len(input_shape)} feature maps, but anchors for "
                f"{len(self.box_heads)}"
            )
        low, high = self.depth_bounds
        for n, shape in enumerate(input_shape):
            depth = max(min(shape[-1], high), low)
            stack = self._shared(n, depth if depth > 0 else 0)
            stack.build(shape)
            shape = stack.compute_output_shape(shape)
            self.shared.append(stack)
            self.box_heads[n].build(shape)
            self.class_heads[n].build(shape)

    def call(self, features, training=False):
        """Returns the predictions of all levels, joined.

        Args:
            features: The levels, each `[b, h, w, c]`.
            training: Whether dropout drops.

        Returns:
            `BOXES: [b, anchors, code_size]` and `CLASSES: [b, anchors, slots]`,
            float32, anchors by level, row, column and anchor.
        """
        boxes, classes = [], []
        for n, level in enumerate(features):
            level = self.shared[n](level)
            boxes.append(flat(self.box_heads[n](level), self.options.code_size))
            classes.append(
                flat(self.class_heads[n](level), self.options.num_logits_per_anchor)
            )
        return {
            BOXES: self.options.clip(join(boxes)),
            CLASSES: self.options.convert(join(classes)),
        }

    def _shared(self, level: int, depth: int) -> Stack:
        steps: list[keras.layers.Layer] = []
        for n in range(self.num_layers if depth else 0):
            conv = self.hyperparams.conv(depth, 1, f"head/shared_{level}/conv_{n}")
            steps += conv_norm_activation(conv, self.hyperparams)
        return Stack(steps, name=f"shared_{level}", dtype=self.hyperparams.dtype)

    def _head(self, name: str, filters: int, bias: float, drop: bool) -> Stack:
        hyperparams, options = self.hyperparams, self.options
        steps: list[keras.layers.Layer] = []
        if drop and options.dropout > 0:
            seed = hyperparams.seed
            steps.append(keras.layers.Dropout(options.dropout, seed=seed))
        size = options.kernel_size
        if options.use_depthwise:
            # As in the original, hyperparams do not reach this kernel.
            depthwise = hyperparams.depthwise(size, f"head/{name}/depthwise", NEITHER)
            steps += conv_norm_activation(depthwise, hyperparams)
            size = 1
        steps.append(
            hyperparams.conv(
                filters,
                size,
                f"head/{name}/predict",
                use_bias=True,
                bias=bias,
                dtype="float32",
            )
        )
        return Stack(steps, name=name, dtype=hyperparams.dtype)
