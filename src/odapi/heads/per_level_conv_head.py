"""Head of SSD: separate convolutions per level."""

from collections.abc import Sequence

import keras

from odapi.heads.anchor_head import AnchorHead, HeadOptions
from odapi.layers.hyperparams import NEITHER, Hyperparams
from odapi.layers.stack import Stack, conv_norm_activation
from odapi.structures import Tensor


class PerLevelConvHead(AnchorHead):
    """Predicts boxes and classes with separate convolutions per level.

    Args:
        per_location: Number of anchors per location, per level.
        options: Outputs of the head.
        hyperparams: Hyperparams of all layers.
        num_layers: Number of 1 x 1 convolutions before the predictions.
        min_depth, max_depth: Limits of their channels, which are otherwise those of
            the level; with a `max_depth` of 0 there are no such convolutions.

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
        super().__init__(len(per_location), options, hyperparams, **kwargs)
        if min_depth > max_depth:
            raise ValueError(f"min_depth {min_depth} is above max_depth {max_depth}")
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
        self.check_num_levels(input_shape)
        low, high = self.depth_bounds
        for n, shape in enumerate(input_shape):
            depth = max(min(shape[-1], high), low)
            stack = self._shared(n, depth if depth > 0 else 0)
            stack.build(shape)
            shape = stack.compute_output_shape(shape)
            self.shared.append(stack)
            self.box_heads[n].build(shape)
            self.class_heads[n].build(shape)

    def predict_level(
        self, level: int, features: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns the predictions of one level; see `AnchorHead.predict_level`."""
        features = self.shared[level](features)
        return self.box_heads[level](features), self.class_heads[level](features)

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
            # As in the original, hyperparams do not apply to this kernel.
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
