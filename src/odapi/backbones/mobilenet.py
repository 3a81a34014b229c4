"""MobileNet v1, adapted from Keras Applications.

Source: Howard et al. 2017 (https://arxiv.org/abs/1704.04861).
"""

from collections.abc import Mapping, Sequence

import keras

from odapi.backbones.application import Adapter, adapt, check_width
from odapi.layers.hyperparams import DepthMultiplier, Hyperparams
from odapi.layers.initializers import TruncatedNormal
from odapi.layers.norm import Norm

# Used unless `override_base_feature_extractor_hyperparams` is set.
DEFAULT_HYPERPARAMS = Hyperparams(
    initializer=TruncatedNormal(stddev=0.09),
    l2=0.5 * 0.00004,
    activation="relu_6",
    norm=Norm(momentum=0.9997, epsilon=0.001, scale=True),
)

# Channels of the last two blocks, for a pyramid of separable convolutions.
NARROW_END = {"conv_pw_12": 512, "conv_pw_13": 256}


def mobilenet(
    endpoints: Sequence[str],
    hyperparams: Hyperparams = DEFAULT_HYPERPARAMS,
    width: float = 1.0,
    min_depth: int = 0,
    explicit_padding: bool = False,
    nominal: Mapping[str, int] | None = None,
    name: str = "backbone",
    channels: int = 3,
) -> keras.Model:
    """Returns a model from images `[b, h, w, channels]` in -1 to 1 to feature maps.

    Args:
        endpoints: Names of the layers whose outputs are returned, in order.
        hyperparams: Hyperparams of all layers.
        width: Factor of the channels, applied twice, as in the original: 0.5 gives the
            channels of alpha 0.25.
        min_depth: Minimum channels of a layer.
        explicit_padding: Whether padding is symmetric for any image size.
        nominal: Channels of some convolutions by name, instead of those of the paper;
            `width` is applied to them once.
        name: Name of the model.
        channels: Channels of the images.

    Raises:
        ValueError: `width` is not positive, or an endpoint is not the name of a layer.
    """
    check_width(width)
    adapter = _Adapter(
        hyperparams, DepthMultiplier(width, min_depth), explicit_padding, nominal or {}
    )
    return adapt(keras.applications.MobileNet, adapter, endpoints, name, channels)


class _Adapter(Adapter):
    def __init__(
        self,
        hyperparams: Hyperparams,
        channels: DepthMultiplier,
        explicit_padding: bool,
        nominal: Mapping[str, int],
    ):
        super().__init__(hyperparams, explicit_padding)
        self.channels = channels
        self.nominal = nominal

    def filters(self, original: keras.layers.Conv2D) -> int:
        if original.name in self.nominal:
            return self.channels(self.nominal[original.name])
        # The original applies the width twice: by `alpha` of Keras Applications, and
        # again. The shapes in its checkpoints depend on it. `alpha` is not used here,
        # because Keras refuses layers without channels before `min_depth` applies.
        return self.channels(int(original.filters * self.channels.multiplier))
