"""Feature extractors by their names in configs: the one list of them."""

import dataclasses
from collections.abc import Callable

import keras

from odapi.backbones.mobilenet_v2 import DEFAULT_HYPERPARAMS, mobilenet_v2
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import MINUS_ONE_TO_ONE, PixelScaling


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
    """

    backbone: Callable[..., keras.Model]
    endpoints: tuple[str, ...]
    hyperparams: Hyperparams
    pixels: PixelScaling
    pyramid: bool
    first_level: int = 2
    extra_depths: tuple[int, ...] = ()

    @property
    def last_level(self) -> int:
        """Level of the last endpoint."""
        return self.first_level + len(self.endpoints) - 1


EXTRACTORS = {
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
}
