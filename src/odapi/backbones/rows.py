"""Rows of the backbone table: a backbone and its use in each detector family."""

import dataclasses
from collections.abc import Callable, Mapping

import keras

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import PixelScaling

Stages = tuple[keras.Model, keras.Model]


@dataclasses.dataclass(frozen=True)
class Application:
    """Model of Keras Applications whose ImageNet weights fit a backbone.

    Args:
        name: Its function in `keras.applications`.
        width_power: Power of `depth_multiplier` that is its `alpha`; 0: it has none.
    """

    name: str
    width_power: int = 0


@dataclasses.dataclass(frozen=True)
class BifpnDefaults:
    """Bidirectional feature pyramid where a config does not set it.

    Args:
        rounds: Number of top-down and bottom-up rounds.
        depth: Channels of all levels.
        method: Name of the weighting of the inputs; see `odapi.necks.bifpn.Combine`.
    """

    rounds: int
    depth: int
    method: str = "fast_attention"


@dataclasses.dataclass(frozen=True)
class SsdRow:
    """Backbone of a single-stage detector and the feature maps taken from it.

    Args:
        backbone: Function that builds it; called with `endpoints`, `hyperparams`,
            `width`, `min_depth` and `explicit_padding`.
        endpoints: Layers of the backbone that are used, largest map first.
        hyperparams: Those of the backbone unless a config overrides them.
        pixels: Pixel normalization of the backbone.
        pyramid: Whether a feature pyramid follows, with the endpoints at levels
            `first_level` and up; otherwise the extra feature layers of SSD follow.
        first_level: Level of the first endpoint; its stride is two to this power.
        extra_depths: Nominal channels of the extra feature layers of SSD.
        depthwise_backbone: Function that builds the backbone if `use_depthwise` is
            set; None: `backbone`.
        plain: Whether `use_depthwise` and `use_explicit_padding` have no effect.
        bifpn: Defaults of a bidirectional pyramid; None: the pyramid is a plain one.
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


@dataclasses.dataclass(frozen=True)
class HalvedRow:
    """Backbone of a two-stage detector whose last stage encodes the RoI crops.

    Args:
        halves: Function that builds both parts; called with `hyperparams`, `stride`
            and `names`.
        hyperparams: Those of the backbone unless a config overrides them.
        pixels: Pixel normalization of the backbone.
    """

    halves: Callable[..., Stages]
    hyperparams: Hyperparams
    pixels: PixelScaling


@dataclasses.dataclass(frozen=True)
class PyramidRow:
    """Backbone of a two-stage detector with a feature pyramid.

    Fully connected layers encode the RoI crops.

    Args:
        backbone: Function that builds it; called with `endpoints`, `hyperparams` and
            `name`.
        endpoints: Layers at `first_level` and up.
        hyperparams: Those of the backbone unless a config overrides them.
        pixels: Pixel normalization of the backbone.
    """

    backbone: Callable[..., keras.Model]
    endpoints: tuple[str, ...]
    hyperparams: Hyperparams
    pixels: PixelScaling
    first_level: int = 2

    @property
    def last_level(self) -> int:
        """Level of the last endpoint."""
        return self.first_level + len(self.endpoints) - 1


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Upsampling of the feature maps of a CenterNet backbone to stride 4.

    Args:
        filters: Channels of each upsampling step.
        skips: Whether the maps of the backbone are added on the way, after
            upsampling without weights; otherwise the last map alone is upsampled by
            transposed convolutions.
        size: Kernel size of the convolution before a transposed one.
    """

    filters: tuple[int, ...]
    skips: bool
    size: int = 3


@dataclasses.dataclass(frozen=True)
class CenterRow:
    """Backbone of a CenterNet and the decoder that follows it.

    Args:
        backbone: Function that builds it; called with `hyperparams`, `name` and, if
            `widens`, with `width`. If there is a decoder, it is a graph of images of
            fixed `channels`, with which it is called, too.
        hyperparams: Those of the backbone.
        pixels: Pixel normalization of the backbone, in addition to the config's.
        decoder: Upsampling to stride 4; None: the maps of the backbone have stride 4.
        widens: Whether `depth_multiplier` has an effect.
        separable: Whether the convolutions of the decoder are separable; None: as
            `use_separable_conv` says.
        upsampling: Whether `upsampling_interpolation` has an effect.
    """

    backbone: Callable[..., keras.layers.Layer]
    hyperparams: Hyperparams
    pixels: PixelScaling
    decoder: Decoder | None = None
    widens: bool = False
    separable: bool | None = False
    upsampling: bool = False


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A backbone and its feature extractors, by their type names in configs.

    Args:
        application: Source of ImageNet weights; None: there are none.
        ssd: Extractors of single-stage detectors.
        two_stage: Extractors of two-stage detectors.
        center: Extractors of CenterNet.
    """

    application: Application | None = None
    ssd: Mapping[str, SsdRow] = dataclasses.field(default_factory=dict)
    two_stage: Mapping[str, HalvedRow | PyramidRow] = dataclasses.field(
        default_factory=dict
    )
    center: Mapping[str, CenterRow] = dataclasses.field(default_factory=dict)

    @property
    def types(self) -> tuple[str, ...]:
        """Type names of all extractors."""
        return (*self.ssd, *self.two_stage, *self.center)
