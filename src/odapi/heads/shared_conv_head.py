"""Head of RetinaNet and EfficientDet: convolutions shared by all levels."""

from collections import Counter
from collections.abc import Sequence

import keras

from odapi.heads.anchor_head import AnchorHead, HeadOptions
from odapi.layers.hyperparams import BOTH, DEPTHWISE, NEITHER, Hyperparams
from odapi.layers.stack import Stack
from odapi.structures import Tensor


class Tower(keras.layers.Layer):
    """Convolutions shared by all levels, with separate norms per level.

    The statistics of the features differ between levels.

    Args:
        num_levels: Number of levels.
        num_layers: Number of convolutions.
        depth: Channels of the convolutions.
        size: Kernel size of the convolutions.
        hyperparams: Hyperparams of all layers.
        use_depthwise: Separable convolutions instead of full ones.
        pointwise: Whether the hyperparams also apply to the 1 x 1 kernels of separable
            convolutions.
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


class SharedConvHead(AnchorHead):
    """Predicts boxes and classes with the same weights at every level.

    Args:
        per_location: Number of anchors per location, per level; all are equal.
        options: Outputs of the head.
        hyperparams: Hyperparams of all layers.
        num_layers: Number of convolutions of a tower, before the predictions.
        depth: Channels of the convolutions.
        share_tower: One tower for boxes and classes instead of two.
        pointwise: Whether the hyperparams also apply to the 1 x 1 kernels of the
            towers' separable convolutions.
        to_heads: Whether the hyperparams apply to the separable convolutions that
            make the predictions.

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
        super().__init__(len(per_location), options, hyperparams, **kwargs)
        if len(set(per_location)) != 1:
            raise ValueError(
                "a head shared by all levels needs the same number of anchors per "
                f"location at every level, got {list(per_location)}"
            )
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
        self.check_num_levels(input_shape)
        shapes = self._build_projections(list(input_shape))
        for tower in self.towers:
            tower.build(shapes[0])
        shape = self.towers[0].compute_output_shape(shapes[0])
        self.box.build(shape)
        self.dropout.build(shape)
        self.classes.build(shape)

    def predict_level(
        self, level: int, features: Tensor, training: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns the predictions of one level; see `AnchorHead.predict_level`."""
        features = self.projections[level](features)
        towers = [tower(features, level=level) for tower in self.towers]
        return self.box(towers[0]), self.classes(
            self.dropout(towers[-1], training=training)
        )

    def _build_projections(self, shapes: list[tuple]) -> list[tuple]:
        """Builds projections of all levels to their most common number of channels."""
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
