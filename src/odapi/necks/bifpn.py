"""Bidirectional feature pyramid network (BiFPN) of EfficientDet."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from odapi.geometry.map_size import is_static, map_size
from odapi.layers.hyperparams import BOTH, Hyperparams
from odapi.layers.initializers import Constant
from odapi.layers.resample import upsample_nearest
from odapi.layers.stack import Stack
from odapi.necks.bifpn_nodes import Node, first_map, outputs, wiring

SUM, WEIGHTED_SUM = "sum", "weighted_sum"
ATTENTION, FAST_ATTENTION = "attention", "fast_attention"
COMBINE_METHODS = (SUM, WEIGHTED_SUM, ATTENTION, FAST_ATTENTION)

_SIZE = 3
_EPSILON = 1e-4


class Combine(keras.layers.Layer):
    """Weighted sum of maps, with learned weights.

    Args:
        method: Normalization of the weights w: "sum" has no weights, "weighted_sum"
            uses w, "attention" softmax(w), and "fast_attention"
            relu(w) / (sum(relu(w)) + 0.0001).
        halves: Indices of the maps of half the size, for graphs that know the sizes
            only when they run.

    Raises:
        ValueError: The method is unknown.

    Source: Tan et al. 2020 (https://arxiv.org/abs/1911.09070), section 3.3.
    """

    def __init__(self, method: str, halves: Sequence[int] = (), **kwargs):
        super().__init__(**kwargs)
        if method not in COMBINE_METHODS:
            raise ValueError(
                f"combine_method must be one of {', '.join(COMBINE_METHODS)}: "
                f"{method!r}"
            )
        self.method = method
        self.halves = tuple(halves)

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variable, for the shapes of the maps."""
        if self.method != SUM:
            self.importance = self.add_weight(
                shape=(len(input_shape), 1),
                initializer=Constant(1.0),
                name="importance",
            )

    def call(self, maps):
        """Returns the sum `[b, h, w, c]` of maps, of the size of the first.

        Maps of half that size are upsampled after weighting, which is a quarter of the
        work.
        """
        if self.method == SUM:
            scaled = maps
        else:
            factors = ops.cast(self._factors(), self.compute_dtype)
            scaled = [x * factors[n, 0] for n, x in enumerate(maps)]
        fitting = [
            upsample_nearest(x, ops.shape(maps[0])) if self._is_half(n, maps) else x
            for n, x in enumerate(scaled)
        ]
        total = fitting[0]
        for x in fitting[1:]:
            total = total + x
        return total

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        """Returns the shape of the sum, without running anything."""
        return tuple(input_shape[0])

    def _is_half(self, n: int, maps) -> bool:
        sizes = map_size(maps[n]), map_size(maps[0])
        if is_static(sizes[0] + sizes[1]):
            return sizes[0] != sizes[1]
        return n in self.halves

    def _factors(self):
        weights = ops.cast(self.importance, "float32")
        if self.method == WEIGHTED_SUM:
            return weights
        if self.method == ATTENTION:
            return ops.softmax(weights, axis=0)
        weights = ops.relu(weights)
        return weights / (ops.sum(weights) + _EPSILON)


class FusionNode(keras.layers.Layer):
    """Node of the pyramid: fuses maps of adjacent levels.

    Maps are projected to `depth` channels if necessary, downsampled if they come from
    the level below, and summed; activation, separable convolution and norm follow.

    Args:
        node: Inputs and level of the node.
        depth: Channels of all levels.
        method: Normalization of the weights; see `Combine`.
        hyperparams: Hyperparams of all layers.
    """

    def __init__(
        self, node: Node, depth: int, method: str, hyperparams: Hyperparams, **kwargs
    ):
        super().__init__(**kwargs)
        self.node = node
        self.depth = depth
        self.hyperparams = hyperparams
        self.projections: list[keras.layers.Layer] = []
        self.combine: Any = None
        if len(node.sources) > 1:
            halves = [n for n, s in enumerate(node.sources) if s.level > node.level]
            self.combine = Combine(
                method, halves, name="combine", dtype=hyperparams.dtype
            )
            self.conv = hyperparams.separable(
                depth, _SIZE, f"neck/{node.name}/conv", BOTH
            )
            self.norm = hyperparams.norm_layer("norm")

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the maps."""
        for n, shape in enumerate(input_shape):
            steps = []
            if shape[-1] != self.depth:
                path = f"neck/{self.node.name}/input_{n}/conv"
                steps = [
                    self.hyperparams.conv(self.depth, 1, path),
                    self.hyperparams.norm_layer("norm"),
                ]
            stack = Stack(steps, name=f"input_{n}", dtype=self.hyperparams.dtype)
            stack.build(shape)
            self.projections.append(stack)
        if self.combine is not None:
            shape = (*input_shape[0][:-1], self.depth)
            self.combine.build([shape for _ in input_shape])
            self.conv.build(shape)
            self.norm.build(shape)

    def call(self, maps):
        """Returns the map of the node, from the maps of its sources."""
        maps = [
            self._down(projection(x), source.level)
            for x, projection, source in zip(
                maps, self.projections, self.node.sources, strict=True
            )
        ]
        if self.combine is None:
            return maps[0]
        x = self.hyperparams.activate(self.combine(maps))
        return self.norm(self.conv(x))

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        """Returns the shape of the map, without running anything."""
        batch, height, width, _ = input_shape[0]
        if self.node.sources[0].level < self.node.level:
            height, width = (None if n is None else -(-n // 2) for n in (height, width))
        return (batch, height, width, self.depth)

    def _down(self, x, level: int):
        if level >= self.node.level:
            return x
        return ops.max_pool(
            x, _SIZE, strides=2, padding="same", data_format="channels_last"
        )


class BidirectionalPyramid(keras.layers.Layer):
    """Feature pyramid with repeated top-down and bottom-up fusion.

    Args:
        first_level: Level of the first map of the backbone.
        num_maps: Number of maps of the backbone, of successive levels.
        levels: Levels of the pyramid; those above the backbone's are downsampled.
        rounds: Number of top-down and bottom-up rounds.
        depth: Channels of all levels.
        method: Normalization of the weights; see `Combine`.
        hyperparams: Hyperparams of all layers.

    Raises:
        ValueError: The levels, the rounds or the depth are out of range.

    Source: Tan et al. 2020 (https://arxiv.org/abs/1911.09070), section 3.
    """

    def __init__(
        self,
        first_level: int,
        num_maps: int,
        levels: range,
        rounds: int,
        depth: int,
        method: str,
        hyperparams: Hyperparams,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(levels) < 2 or not 0 <= levels.start - first_level < num_maps:
            raise ValueError(
                f"a pyramid of levels {levels.start} to {levels.stop - 1} cannot be "
                f"built from levels {first_level} to {first_level + num_maps - 1}"
            )
        if rounds < 1 or depth < 1:
            raise ValueError(f"rounds and depth must be above 0: {rounds}, {depth}")
        top = min(levels.stop - 1, first_level + num_maps - 1)
        self.used = slice(levels.start - first_level, top - first_level + 1)
        self.given = [first_map(level) for level in range(levels.start, top + 1)]
        nodes = wiring(levels.start, top, levels.stop - 1, rounds)
        self.results = outputs(nodes)
        self.nodes = [
            FusionNode(
                node,
                depth,
                method,
                hyperparams,
                name=node.name,
                dtype=hyperparams.dtype,
            )
            for node in nodes
        ]

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the backbone's maps."""
        for layer, shapes in self._shapes(input_shape)[1]:
            layer.build(shapes)

    def call(self, features):
        """Returns the levels, largest map first, from all maps of the backbone."""
        maps = dict(zip(self.given, features[self.used], strict=True))
        for layer in self.nodes:
            sources = [maps[source.name] for source in layer.node.sources]
            maps[layer.node.name] = layer(sources)
        return [maps[name] for name in self.results]

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> list[tuple]:
        """Returns the shapes of the levels, without running anything."""
        shapes = self._shapes(input_shape)[0]
        return [shapes[name] for name in self.results]

    def _shapes(self, input_shape):
        """Returns the shape of each map, and the input shapes of each node."""
        used = list(input_shape)[self.used]
        shapes = {n: tuple(s) for n, s in zip(self.given, used, strict=True)}
        taken = []
        for layer in self.nodes:
            sources = [shapes[source.name] for source in layer.node.sources]
            taken.append((layer, sources))
            shapes[layer.node.name] = layer.compute_output_shape(sources)
        return shapes, taken
