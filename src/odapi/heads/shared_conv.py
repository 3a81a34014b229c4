"""Prediction heads whose convolutions are shared by all levels."""

from collections import Counter
from collections.abc import Sequence

import keras

from odapi.heads.outputs import BOXES, CLASSES, HeadOptions, flat, join
from odapi.layers.hyperparams import BOTH, DEPTHWISE, NEITHER, Hyperparams
from odapi.layers.stack import Stack


class Tower(keras.layers.Layer):
    """Convolutions that all levels share, with norms that they do not.

    The statistics of the features differ from level to level.

    Args:
        num_levels: Number of levels.
        num_layers: Number of convolutions.
        depth: Their channels.
        size: Side of their kernels.
        hyperparams: Of all layers.
        use_depthwise: Separable convolutions instead of full ones.
        pointwise: Whether the hyperparams hold for the 1 x 1 kernels of separable
            convolutions as well.
    """

    def __init__(
        self,
        num_levels: int,
        num_layers: int,
        depth: int,
        size: int,
        hyperparams: Hyperparams,
        use_depthwise: bool = False,
        pointwise: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hyperparams = hyperparams

        def conv(name):
            path = f"head/{self.name}/{name}"
            bias = hyperparams.norm is None or hyperparams.force_use_bias
            if use_depthwise:
                applies_to = BOTH if pointwise else DEPTHWISE
                return hyperparams.separable(
                    depth, size, path, applies_to, use_bias=bias
                )
            return hyperparams.conv(depth, size, path, use_bias=bias)

        layers = range(num_layers)
        self.convs = [conv(f"conv_{n}") for n in layers]
        self.norms = [
            [hyperparams.norm_layer(f"norm_{n}_level_{level}") for n in layers]
            for level in range(num_levels)
        ]

    def build(self, input_shape: tuple):
        """Creates the variables, for the shape of any level."""
        for n, conv in enumerate(self.convs):
            conv.build(input_shape)
            input_shape = conv.compute_output_shape(input_shape)
            for norms in self.norms:
                norms[n].build(input_shape)

    def call(self, features, level: int = 0):
        """Returns the features `[b, h, w, depth]` of one level."""
        for conv, norm in zip(self.convs, self.norms[level], strict=True):
            features = self.hyperparams.activate(norm(conv(features)))
        return features

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the shape of the output, without running anything."""
        for conv in self.convs:
            input_shape = conv.compute_output_shape(input_shape)
        return input_shape


class SharedConvHead(keras.layers.Layer):
    """Predicts boxes and classes with the same weights at every level.

    Args:
        per_location: Anchors at a position of each level, the same for all.
        options: What is predicted, and how.
        hyperparams: Of all layers.
        num_layers: Convolutions of a tower, before the predictions.
        depth: Their channels.
        share_tower: One tower for boxes and classes instead of two.
        pointwise: Hyperparams hold for 1 x 1 kernels of the towers' separable
            convolutions as well.
        to_heads: Hyperparams hold for the separable convolutions that predict.

    Raises:
        ValueError: The levels have different numbers of anchors.

    Source: Lin et al. 2017 (https://arxiv.org/abs/1708.02002), section 4.
    """

    def __init__(
        self,
        per_location: Sequence[int],
        options: HeadOptions,
        hyperparams: Hyperparams,
        num_layers: int = 0,
        depth: int = 256,
        share_tower: bool = False,
        pointwise: bool = False,
        to_heads: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(set(per_location)) != 1:
            raise ValueError(
                "a head that is shared by all levels needs the same number of anchors "
                f"at each, got {list(per_location)}"
            )
        self.options = options
        self.hyperparams = hyperparams
        self.num_levels = len(per_location)
        self.projections: list[keras.layers.Layer] = []

        def tower(name):
            return Tower(
                self.num_levels,
                num_layers,
                depth,
                options.kernel_size,
                hyperparams,
                options.use_depthwise,
                pointwise,
                name=name,
                dtype=hyperparams.dtype,
            )

        self.towers = (
            [tower("tower")]
            if share_tower
            else [tower("box_tower"), tower("class_tower")]
        )
        count = per_location[0]
        self.box = self._predictor("box", count * options.code_size, 0.0, to_heads)
        self.classes = self._predictor(
            "class", count * options.num_logits_per_anchor, options.bias, to_heads
        )
        self.dropout = keras.layers.Dropout(
            options.dropout, seed=hyperparams.seed, dtype=hyperparams.dtype
        )

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the levels."""
        if len(input_shape) != self.num_levels:
            raise ValueError(
                f"there are {len(input_shape)} feature maps, but anchors for "
                f"{self.num_levels}"
            )
        shapes = self._build_projections(list(input_shape))
        for tower in self.towers:
            tower.build(shapes[0])
        shape = self.towers[0].compute_output_shape(shapes[0])
        self.box.build(shape)
        self.dropout.build(shape)
        self.classes.build(shape)

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
            level = self.projections[n](level)
            towers = [tower(level, level=n) for tower in self.towers]
            scores = self.dropout(towers[-1], training=training)
            boxes.append(flat(self.box(towers[0]), self.options.code_size))
            classes.append(
                flat(self.classes(scores), self.options.num_logits_per_anchor)
            )
        return {
            BOXES: self.options.clip(join(boxes)),
            CLASSES: self.options.convert(join(classes)),
        }

    def _build_projections(self, shapes: list[tuple]) -> list[tuple]:
        """Brings all levels to the number of channels that most of them have."""
        channels = [shape[-1] for shape in shapes]
        target = Counter(channels).most_common(1)[0][0]
        hyperparams = self.hyperparams
        for n, shape in enumerate(shapes):
            steps = []
            if shape[-1] != target:
                bias = hyperparams.norm is None or hyperparams.force_use_bias
                conv = hyperparams.conv(
                    target, 1, f"head/level_{n}/projection", use_bias=bias
                )
                steps = [conv, hyperparams.norm_layer("projection_norm")]
            stack = Stack(steps, name=f"level_{n}", dtype=hyperparams.dtype)
            stack.build(shape)
            self.projections.append(stack)
        return [(*shape[:-1], target) for shape in shapes]

    def _predictor(self, name: str, filters: int, bias: float, to_heads: bool):
        size = self.options.kernel_size
        options = {"use_bias": True, "bias": bias, "dtype": "float32"}
        if self.options.use_depthwise:
            applies_to = BOTH if to_heads else NEITHER
            return self.hyperparams.separable(
                filters, size, f"head/{name}", applies_to, **options
            )
        return self.hyperparams.conv(filters, size, f"head/{name}", **options)
