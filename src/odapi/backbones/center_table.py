"""Feature extractors of CenterNet by their names in configs: the one list of them."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from odapi.backbones import basic_resnet, center_resnet, resnet
from odapi.backbones.hourglass import (
    DEFAULT_HYPERPARAMS,
    Hourglass,
    HourglassPlan,
    hourglass_plan,
)
from odapi.backbones.mobilenet_v2 import DEFAULT_HYPERPARAMS as MOBILENET_HYPERPARAMS
from odapi.backbones.mobilenet_v2 import mobilenet_v2
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import (
    KERAS_MINUS_ONE_TO_ONE,
    MINUS_MEAN_BGR,
    UNCHANGED,
    PixelScaling,
)


@dataclasses.dataclass(frozen=True)
class Decoder:
    """How the maps of a backbone become one of stride 4.

    Args:
        filters: Channels of each doubling.
        skips: Whether the maps of the backbone are added on the way, by doubling
            without weights; else by transposed convolutions of the last map alone.
        size: Window of the convolution before a transposed one.
    """

    filters: tuple[int, ...]
    skips: bool
    size: int = 3


@dataclasses.dataclass(frozen=True)
class CenterRow:
    """A backbone of CenterNet and what follows it.

    Args:
        backbone: Makes the backbone; called with `hyperparams`, `name` and, where
            `widens`, with `width`.
        hyperparams: Those of the backbone.
        pixels: How the backbone wants its pixels, besides what a config says.
        decoder: What follows; None: the backbone gives maps of stride 4.
        widens: Whether `depth_multiplier` has an effect.
        separable: The convolutions of the decoder are separable; None: as
            `use_separable_conv` says; False: they never are.
        upsampling: Whether `upsampling_interpolation` has an effect.
        application: The model of Keras Applications with the weights of ImageNet.
    """

    backbone: Callable[..., keras.layers.Layer]
    hyperparams: Hyperparams
    pixels: PixelScaling
    decoder: Decoder | None = None
    widens: bool = False
    separable: bool | None = False
    upsampling: bool = False
    application: str = ""


def _resnet_v2(num_layers: int) -> CenterRow:
    make = functools.partial(
        center_resnet.center_resnet, 2, num_layers, endpoints=("conv5_block3_out",)
    )
    return CenterRow(
        backbone=make,
        hyperparams=center_resnet.DEFAULT_HYPERPARAMS,
        pixels=KERAS_MINUS_ONE_TO_ONE,
        decoder=Decoder((256, 128, 64), skips=False),
        application=f"ResNet{num_layers}V2",
    )


def _resnet_v1(num_layers: int) -> CenterRow:
    basic = num_layers < 50
    if basic:
        make = functools.partial(basic_resnet.basic_resnet, num_layers)
        ends = basic_resnet.stage_ends(num_layers)
    else:
        make = functools.partial(center_resnet.center_resnet, 1, num_layers)
        ends = resnet.stage_ends(num_layers)
    return CenterRow(
        backbone=functools.partial(make, endpoints=ends),
        hyperparams=center_resnet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_MEAN_BGR,
        decoder=Decoder((256, 128, 64), skips=True),
        application="" if basic else f"ResNet{num_layers}",
    )


def _hourglass(plan: HourglassPlan) -> CenterRow:
    return CenterRow(
        backbone=functools.partial(Hourglass, plan),
        hyperparams=DEFAULT_HYPERPARAMS,
        pixels=UNCHANGED,
    )


# As the original, CenterNet never regularizes.
_MOBILENET = dataclasses.replace(MOBILENET_HYPERPARAMS, l2=0.0)


def _mobilenet(*endpoints: str, **options) -> CenterRow:
    return CenterRow(
        backbone=functools.partial(mobilenet_v2, endpoints),
        hyperparams=_MOBILENET,
        pixels=KERAS_MINUS_ONE_TO_ONE,
        widens=True,
        application="MobileNetV2",
        **options,
    )


_mobilenet_fpn = functools.partial(
    _mobilenet,
    "block_2_add",
    "block_5_add",
    "block_9_add",
    "out_relu",
    decoder=Decoder((64, 32, 24), skips=True),
    upsampling=True,
)

CENTER_EXTRACTORS = {
    "resnet_v2_50": _resnet_v2(50),
    "resnet_v2_101": _resnet_v2(101),
    "resnet_v1_18_fpn": _resnet_v1(18),
    "resnet_v1_34_fpn": _resnet_v1(34),
    "resnet_v1_50_fpn": _resnet_v1(50),
    "resnet_v1_101_fpn": _resnet_v1(101),
    "hourglass_10": _hourglass(hourglass_plan(10, 32)),
    "hourglass_20": _hourglass(hourglass_plan(20, 48)),
    "hourglass_32": _hourglass(hourglass_plan(32, 48)),
    "hourglass_52": _hourglass(hourglass_plan(52, 64)),
    "hourglass_104": _hourglass(hourglass_plan(52, 128, stacks=2)),
    "mobilenet_v2": _mobilenet(
        "out_relu", decoder=Decoder((256, 128, 64), skips=False, size=1)
    ),
    "mobilenet_v2_fpn": _mobilenet_fpn(separable=None),
    "mobilenet_v2_fpn_sep_conv": _mobilenet_fpn(separable=True),
}
