"""Stacked hourglass networks.

Source: Newell et al. 2016 (https://arxiv.org/abs/1603.06937), as modified by Law and
Deng 2018 (https://arxiv.org/abs/1808.01244, section 3.5).
"""

import dataclasses
from collections.abc import Sequence

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.norm import Norm
from odapi.layers.resample import upsample_nearest
from odapi.layers.stack import Stack, conv_norm_activation

# As in the original, the moving statistics are mostly those of the last batch.
DEFAULT_HYPERPARAMS = Hyperparams(
    activation="relu",
    norm=Norm("sync_batch", momentum=0.1, epsilon=1e-5, scale=True),
)

# Channels per stage, as multiples of the first convolution's, and blocks per stage, by
# the number of layers on the longest path through one hourglass.
_SIZES = {
    10: ((2, 2), (1, 1)),
    20: ((2, 2, 3), (1, 2, 2)),
    32: ((2, 2, 3, 3), (2, 2, 2, 2)),
    52: ((2, 2, 3, 3, 3, 4), (2, 2, 2, 2, 2, 4)),
    100: ((2, 2, 3, 3, 3, 4), (4, 4, 4, 4, 4, 8)),
}


@dataclasses.dataclass(frozen=True)
class HourglassPlan:
    """Sizes of a stacked hourglass network.

    Args:
        base: Channels of the first convolution.
        channels: Channels per stage, the outermost first; one stage more than there
            are downsampling steps.
        blocks: Number of residual blocks per stage.
        stacks: Number of stacked hourglasses.
        shrink: Whether the stem has stride 4; otherwise it has stride 1.
        halve: Whether each stage downsamples the map by 2.
        shortcut: Whether the map before downsampling is added after upsampling.
    """

    base: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    stacks: int = 1
    shrink: bool = True
    halve: bool = True
    shortcut: bool = True

    def __post_init__(self):
        if len(self.channels) != len(self.blocks) or len(self.blocks) < 2:
            raise ValueError(
                "an hourglass needs channels and blocks of at least two stages, got "
                f"{self.channels} and {self.blocks}"
            )
        if min(self.base, self.stacks, *self.channels, *self.blocks) < 1:
            raise ValueError(f"sizes of an hourglass must be 1 or more: {self}")


def hourglass_plan(num_layers: int, base: int, **options) -> HourglassPlan:
    """Returns the sizes of a published hourglass.

    Two stacks of 52 layers and base 128 are Hourglass-104.

    Args:
        num_layers: 10, 20, 32, 52 or 100.
        base: Channels of the first convolution.
        options: Further fields of the plan.

    Raises:
        ValueError: The number of layers is unknown.
    """
    if num_layers not in _SIZES:
        raise ValueError(
            f"num_layers must be one of {sorted(_SIZES)}, got {num_layers}"
        )
    factors, blocks = _SIZES[num_layers]
    return HourglassPlan(base, tuple(base * f for f in factors), blocks, **options)


class Hourglass(keras.layers.Layer):
    """Stacked hourglass network, from images or maps to one map per hourglass.

    Args:
        plan: Sizes of the network.
        hyperparams: Hyperparams of all layers.
        path: Path in the model, on which the initial weights depend.
    """

    def __init__(
        self,
        plan: HourglassPlan,
        hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
        path: str = "hourglass",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.plan = plan
        channels = plan.channels[0]
        first = 7 if plan.shrink else 3
        stride = 2 if plan.shrink else 1

        def conv(size, name, activate=True):
            at = f"{path}/{name}"
            return conv_block(channels, size, at, hyperparams, activate=activate)

        self.stem = conv_block(plan.base, first, f"{path}/stem", hyperparams, stride)
        self.widen = Residual(channels, f"{path}/widen", hyperparams, stride, True)
        self.stacks = [
            EncoderDecoder(plan, 0, f"{path}/stack_{n}", hyperparams)
            for n in range(plan.stacks)
        ]
        self.ends = [conv(3, f"end_{n}") for n in range(plan.stacks)]
        # Between one hourglass and the next.
        between = range(plan.stacks - 1)
        self.from_input = [conv(1, f"from_input_{n}", False) for n in between]
        self.from_end = [conv(1, f"from_end_{n}", False) for n in between]
        self.mix = [Residual(channels, f"{path}/mix_{n}", hyperparams) for n in between]
        self.activate = hyperparams.activate

    def build(self, input_shape):
        """Creates the variables."""
        shape = _build([self.stem, self.widen], tuple(input_shape))
        for stack, end in zip(self.stacks, self.ends, strict=True):
            stack.build(shape)
            end.build(shape)
        for layer in (*self.from_input, *self.from_end, *self.mix):
            layer.build(shape)

    def call(self, inputs):
        """Returns a list of one map per hourglass, from `inputs [b, h, w, c]`."""
        x = self.widen(self.stem(inputs))
        maps: list = []
        for n, (stack, end) in enumerate(zip(self.stacks, self.ends, strict=True)):
            if n:
                before = self.from_input[n - 1](x)
                x = before + self.from_end[n - 1](maps[-1])
                x = self.mix[n - 1](self.activate(x))
            maps.append(end(stack(x)))
        return maps

    def compute_output_shape(self, input_shape) -> list[tuple]:
        """Returns the shapes of the maps, without running anything."""
        shape = self.stem.compute_output_shape(tuple(input_shape))
        return [self.widen.compute_output_shape(shape)] * len(self.stacks)


class EncoderDecoder(keras.layers.Layer):
    """One stage of an hourglass with all stages inside it.

    Args:
        plan: Sizes of the network.
        stage: Index of the stage.
        path: Path in the model, on which the initial weights depend.
        hyperparams: Hyperparams of all layers.
    """

    def __init__(
        self, plan: HourglassPlan, stage: int, path: str, hyperparams: Hyperparams
    ):
        super().__init__(name=_last(path), dtype=hyperparams.dtype)
        outer, inner = plan.channels[stage : stage + 2]
        count = plan.blocks[stage]
        stride = 2 if plan.halve else 1
        self.halve = plan.halve

        def residuals(what, channels, wide=(), stride=1):
            """`wide`: indices of the blocks whose shortcut has a convolution."""
            return [
                Residual(
                    size,
                    f"{path}/{what}_{n}",
                    hyperparams,
                    stride if n == 0 else 1,
                    project_shortcut=n in wide,
                )
                for n, size in enumerate(channels)
            ]

        self.shortcut = residuals("around", [outer] * count) if plan.shortcut else []
        changes = stride > 1 or outer != inner
        self.down = residuals("down", [inner] * count, [0] * changes, stride)
        self.inner: list[keras.layers.Layer]
        if stage + 2 < len(plan.channels):
            self.inner = [EncoderDecoder(plan, stage + 1, f"{path}/inner", hyperparams)]
        else:
            self.inner = residuals("inner", [inner] * plan.blocks[stage + 1])
        last = [count - 1] * (outer != inner)
        self.up = residuals("up", [inner] * (count - 1) + [outer], last)

    def build(self, input_shape):
        """Creates the variables."""
        shape = tuple(input_shape)
        _build(self.shortcut, shape)
        _build([*self.down, *self.inner, *self.up], shape)

    def call(self, inputs):
        """Returns a map of the size of `inputs [b, h, w, c]`."""
        x = inputs
        for layer in (*self.down, *self.inner, *self.up):
            x = layer(x)
        if self.halve:
            x = upsample_nearest(x, inputs.shape)
        if not self.shortcut:
            return x
        shortcut = inputs
        for layer in self.shortcut:
            shortcut = layer(shortcut)
        return shortcut + x

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output, without running anything."""
        return tuple(input_shape)


class Residual(keras.layers.Layer):
    """Residual block of two convolutions.

    Args:
        filters: Channels of both convolutions.
        path: Path in the model, on which the initial weights depend.
        hyperparams: Hyperparams of all layers.
        stride: Stride of the first convolution.
        project_shortcut: Whether the shortcut has a convolution, as it must if the
            shape changes.
    """

    def __init__(
        self,
        filters: int,
        path: str,
        hyperparams: Hyperparams,
        stride: int = 1,
        project_shortcut: bool = False,
    ):
        super().__init__(name=_last(path), dtype=hyperparams.dtype)
        self.first = conv_block(filters, 3, f"{path}/first", hyperparams, stride)
        self.second = conv_block(
            filters, 3, f"{path}/second", hyperparams, activate=False
        )
        self.shortcut = None
        if project_shortcut:
            self.shortcut = conv_block(
                filters, 1, f"{path}/around", hyperparams, stride, activate=False
            )
        self.activate = hyperparams.activate

    def build(self, input_shape):
        """Creates the variables."""
        shape = tuple(input_shape)
        if self.shortcut is not None:
            self.shortcut.build(shape)
        _build([self.first, self.second], shape)

    def call(self, inputs):
        """Returns `[b, h / stride, w / stride, filters]` of `inputs [b, h, w, c]`."""
        x = self.second(self.first(inputs))
        if self.shortcut is not None:
            inputs = self.shortcut(inputs)
        return self.activate(x + inputs)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output, without running anything."""
        return self.first.compute_output_shape(tuple(input_shape))


def conv_block(
    filters: int,
    size: int,
    path: str,
    hyperparams: Hyperparams,
    stride: int = 1,
    activate: bool = True,
) -> Stack:
    """Returns a convolution with norm and, if `activate`, activation."""
    conv = hyperparams.conv(
        filters, size, f"{path}/conv", strides=stride, explicit_padding=True
    )
    steps: Sequence = conv_norm_activation(conv, hyperparams)
    return Stack(
        steps if activate else steps[:-1], name=_last(path), dtype=hyperparams.dtype
    )


def _build(layers: Sequence[keras.layers.Layer], shape: tuple) -> tuple:
    """Builds layers one after the other; returns the shape after the last."""
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1]
