"""Feature extractors by their names in configs: the one list of them."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from odapi.backbones import efficientnet, mobilenet, resnet
from odapi.backbones.mobilenet_v2 import DEFAULT_HYPERPARAMS, mobilenet_v2
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import (
    IMAGENET,
    MINUS_MEAN_RGB,
    MINUS_ONE_TO_ONE,
    PixelScaling,
)


@dataclasses.dataclass(frozen=True)
class BifpnDefaults:
    """A bidirectional pyramid where a config does not say.

    Args:
        rounds: How many times down and up.
        depth: Channels of all levels.
        method: How maps are added.
    """

    rounds: int
    depth: int
    method: str = "fast_attention"


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A backbone and which of its maps are used.

    Args:
        backbone: Makes the backbone; called with `endpoints`, `hyperparams`,
            `width`, `min_depth` and `explicit_padding`.
        endpoints: Layers of the backbone that are used, largest map first.
        hyperparams: Those of the backbone unless a config overrides them.
        pixels: How the backbone wants its pixels.
        pyramid: Whether a feature pyramid follows, with the endpoints at levels
            `first_level` and up; else the further maps of SSD do.
        first_level: Level of the first endpoint; its stride is two to this power.
        extra_depths: Nominal channels of the further maps of SSD.
        depthwise_backbone: Makes the backbone where `use_depthwise` is set, if it
            is another one then.
        plain: Whether `use_depthwise` and `use_explicit_padding` have no effect.
        bifpn: The pyramid is a bidirectional one, and what it is by default.
    """

    backbone: Callable[..., keras.Model]
    endpoints: tuple[str, ...]
    hyperparams: Hyperparams
    pixels: PixelScaling
    pyramid: bool
    first_level: int = 2
    extra_depths: tuple[int, ...] = ()
    depthwise_backbone: Callable[..., keras.Model] | None = None
    plain: bool = False
    bifpn: BifpnDefaults | None = None

    @property
    def last_level(self) -> int:
        """Level of the last endpoint."""
        return self.first_level + len(self.endpoints) - 1


def _retina(num_layers: int) -> Extractor:
    return Extractor(
        backbone=functools.partial(resnet.resnet, num_layers),
        endpoints=resnet.stage_ends(num_layers),
        hyperparams=resnet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_MEAN_RGB,
        pyramid=True,
        plain=True,
    )


_EFFICIENTNET_LEVELS = (
    "block1a_project_bn", "block2b_add", "block3b_add", "block5c_add",
    "block7a_project_bn",
)  # fmt: skip
# Of EfficientDet D0 to D7 by backbone. B6 and B7 add maps without factors, since
# training was not stable with them.
_BIFPN = {
    "b0": BifpnDefaults(3, 64),
    "b1": BifpnDefaults(4, 88),
    "b2": BifpnDefaults(5, 112),
    "b3": BifpnDefaults(6, 160),
    "b4": BifpnDefaults(7, 224),
    "b5": BifpnDefaults(7, 288),
    "b6": BifpnDefaults(8, 384, "sum"),
    "b7": BifpnDefaults(8, 384, "sum"),
}

EXTRACTORS = {
    "ssd_mobilenet_v1_keras": Extractor(
        backbone=mobilenet.mobilenet,
        endpoints=("conv_pw_11_relu", "conv_pw_13_relu"),
        hyperparams=mobilenet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        pyramid=False,
        extra_depths=(512, 256, 256, 128),
    ),
    "ssd_mobilenet_v1_fpn_keras": Extractor(
        backbone=mobilenet.mobilenet,
        endpoints=(
            "conv_pw_3_relu",
            "conv_pw_5_relu",
            "conv_pw_11_relu",
            "conv_pw_13_relu",
        ),
        hyperparams=mobilenet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        pyramid=True,
        depthwise_backbone=functools.partial(
            mobilenet.mobilenet, nominal=mobilenet.NARROW_END
        ),
    ),
    "ssd_mobilenet_v2_keras": Extractor(
        backbone=mobilenet_v2,
        endpoints=("block_13_expand_relu", "out_relu"),
        hyperparams=DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        pyramid=False,
        extra_depths=(512, 256, 256, 128),
    ),
    "ssd_mobilenet_v2_fpn_keras": Extractor(
        backbone=mobilenet_v2,
        endpoints=("block_2_add", "block_5_add", "block_12_add", "out_relu"),
        hyperparams=DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        pyramid=True,
    ),
    "ssd_resnet50_v1_fpn_keras": _retina(50),
    "ssd_resnet101_v1_fpn_keras": _retina(101),
    "ssd_resnet152_v1_fpn_keras": _retina(152),
    **{
        f"ssd_efficientnet-{size}_bifpn_keras": Extractor(
            backbone=functools.partial(efficientnet.efficientnet, size=size),
            # The original takes these blocks whatever the number of blocks.
            endpoints=_EFFICIENTNET_LEVELS,
            hyperparams=efficientnet.DEFAULT_HYPERPARAMS,
            pixels=IMAGENET,
            pyramid=True,
            first_level=1,
            bifpn=bifpn,
        )
        for size, bifpn in _BIFPN.items()
    },
}
