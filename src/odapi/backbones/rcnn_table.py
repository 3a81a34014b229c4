"""Feature extractors of two-stage detectors by their names in configs: the one list."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from odapi.backbones import inception_resnet, resnet
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import MINUS_MEAN_RGB, MINUS_ONE_TO_ONE, PixelScaling

# The original regularizes a backbone only where a pyramid follows it.
_RESNET = dataclasses.replace(resnet.DEFAULT_HYPERPARAMS, l2=0.0)

Halves = tuple[keras.Model, keras.Model]


@dataclasses.dataclass(frozen=True)
class HalvedRow:
    """A backbone whose end looks at the crops.

    Args:
        halves: Makes both parts; called with `hyperparams`, `stride` and `names`.
        hyperparams: Those of the backbone unless a config overrides them.
        pixels: How the backbone wants its pixels.
        application: The model of Keras Applications with the weights of ImageNet.
    """

    halves: Callable[..., Halves]
    hyperparams: Hyperparams
    pixels: PixelScaling
    application: str


@dataclasses.dataclass(frozen=True)
class PyramidRow:
    """A backbone with a feature pyramid; fully connected layers look at the crops.

    Args:
        backbone: Makes the backbone; called with `endpoints`, `hyperparams`, `name`.
        endpoints: Layers at `first_level` and up.
        hyperparams: Those of the backbone unless a config overrides them.
        pixels: How the backbone wants its pixels.
        application: The model of Keras Applications with the weights of ImageNet.
    """

    backbone: Callable[..., keras.Model]
    endpoints: tuple[str, ...]
    hyperparams: Hyperparams
    pixels: PixelScaling
    application: str
    first_level: int = 2

    @property
    def last_level(self) -> int:
        """Level of the last endpoint."""
        return self.first_level + len(self.endpoints) - 1


def _halved(num_layers: int) -> HalvedRow:
    return HalvedRow(
        halves=functools.partial(resnet.resnet_halves, num_layers),
        hyperparams=_RESNET,
        pixels=MINUS_MEAN_RGB,
        application=f"ResNet{num_layers}",
    )


def _pyramid(num_layers: int) -> PyramidRow:
    return PyramidRow(
        backbone=functools.partial(resnet.resnet, num_layers),
        endpoints=resnet.stage_ends(num_layers),
        hyperparams=resnet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_MEAN_RGB,
        application=f"ResNet{num_layers}",
    )


RCNN_EXTRACTORS: dict[str, HalvedRow | PyramidRow] = {
    "faster_rcnn_resnet50_keras": _halved(50),
    "faster_rcnn_resnet101_keras": _halved(101),
    "faster_rcnn_resnet152_keras": _halved(152),
    "faster_rcnn_inception_resnet_v2_keras": HalvedRow(
        halves=inception_resnet.inception_resnet_halves,
        hyperparams=inception_resnet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        application="InceptionResNetV2",
    ),
    "faster_rcnn_resnet50_fpn_keras": _pyramid(50),
    "faster_rcnn_resnet101_fpn_keras": _pyramid(101),
    "faster_rcnn_resnet152_fpn_keras": _pyramid(152),
}
