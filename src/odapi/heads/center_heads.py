"""Heads of CenterNet: one stack of convolutions per head and stage."""

import dataclasses
from collections.abc import Iterator, Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import NEITHER, Hyperparams
from odapi.layers.stack import Stack


@dataclasses.dataclass(frozen=True)
class Head:
    """Specification of a head.

    Args:
        name: Name in the original, such as "box/scale".
        channels: Channels of its output.
        filters: Channels of the hidden layers.
        kernels: Kernel sizes of the hidden layers: numbers, or pairs of height and
            width.
        bias: Initial bias of the last layer; None: 0.
    """

    name: str
    channels: int
    filters: tuple[int, ...] = (256,)
    kernels: tuple[int | tuple[int, int], ...] = (3,)
    bias: float | None = None

    def __post_init__(self):
        if len(self.filters) != len(self.kernels):
            raise ValueError(
                f"{self.name} needs as many num_filters as kernel_sizes, got "
                f"{len(self.filters)} and {len(self.kernels)}"
            )
        if self.channels < 1 or min(self.filters, default=1) < 1:
            raise ValueError(f"{self.name} needs 1 or more channels in every layer")


class CenterHeads(keras.layers.Layer):
    """Predicts the output maps of all heads after each stage of an extractor.

    Args:
        heads: Specifications of the heads.
        hyperparams: Seed and dtype policy of all layers.
        use_depthwise: Separable convolutions before the last layer.

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), section 5.
    """

    def __init__(
        self,
        heads: Sequence[Head],
        hyperparams: Hyperparams,
        use_depthwise: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.specs = tuple(heads)
        self.hyperparams = hyperparams
        self.use_depthwise = use_depthwise
        self.stacks: list[Stack] = []
        self._names: list[tuple[str, int]] = []

    def build(self, input_shape: Sequence[tuple]):
        """Creates the variables, for the shapes of the stages."""
        for spec in self.specs:
            for stage, shape in enumerate(input_shape):
                stack = self._stack(spec, stage)
                stack.build(shape)
                self.stacks.append(stack)
                self._names.append((spec.name, stage))

    def call(self, features):
        """Returns `[b, h, w, channels]` float32 by name, such as "box/scale/0".

        Args:
            features: One map `[b, h, w, c]` per stage of the extractor.
        """
        return {
            stage_name(name, stage): ops.cast(stack(features[stage]), "float32")
            for name, stage, stack in self.named_stacks()
        }

    def named_stacks(self) -> Iterator[tuple[str, int, Stack]]:
        """Yields head name, stage and layers of each stack."""
        for (name, stage), stack in zip(self._names, self.stacks, strict=True):
            yield name, stage, stack

    def _stack(self, spec: Head, stage: int) -> Stack:
        make = self.hyperparams
        name = f"{layer_name(spec.name)}_{stage}"
        steps: list[keras.layers.Layer] = []
        for n, (filters, size) in enumerate(
            zip(spec.filters, spec.kernels, strict=True)
        ):
            place = f"heads/{name}/conv_{n}"
            if self.use_depthwise:
                steps.append(make.separable(filters, size, place, NEITHER))  # type: ignore[arg-type]
            else:
                steps.append(make.conv(filters, size, place))  # type: ignore[arg-type]
            steps.append(make.activation_layer(f"conv_{n}_activation"))
        last = f"heads/{name}/predict"
        steps.append(
            make.conv(spec.channels, 1, last, bias=spec.bias or 0.0, dtype="float32")
        )
        return Stack(steps, name=name, dtype=make.dtype)


def stage_name(head: str, stage: int) -> str:
    """Returns the name of the output map of a head after a stage."""
    return f"{head}/{stage}"


def layer_name(head: str) -> str:
    """Returns the name of a head without "/" and ".", which would split a path.

    >>> layer_name("box/scale")
    'box-scale'
    """
    return head.replace("/", "-").replace(".", "_")
