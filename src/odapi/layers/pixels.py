"""Normalization of pixels for a backbone."""

import dataclasses
from collections.abc import Iterable

_ZEROS, _ONES = (0.0,) * 3, (1.0,) * 3
Channels = tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class PixelScaling:
    """Computes `(pixel - mean) / deviation * scale + offset` of pixels in 0 to 255.

    The operations are separate and in the order of the original: after many batch
    norms, differences in the last bits of the pixels become visible.

    Args:
        scale, offset, mean, deviation: One number per channel, in the channel order of
            the backbone.
        reverse: The channel order of the backbone is BGR instead of RGB; additional
            channels stay in their places.
    """

    scale: Channels = _ONES
    offset: Channels = _ZEROS
    reverse: bool = False
    mean: Channels = _ZEROS
    deviation: Channels = _ONES

    @property
    def standardizes(self) -> bool:
        """True unless mean and deviation are 0 and 1."""
        return any(self.mean) or set(self.deviation) != {1.0}

    @property
    def scales(self) -> bool:
        """True unless scale and offset are 1 and 0."""
        return set(self.scale) != {1.0} or any(self.offset)

    def with_channels(self, number: int) -> "PixelScaling":
        """Returns the scaling of images with additional channels after RGB.

        These get the mean of the three numbers, so that a channel like red, green or
        blue has similar values.
        """
        if number == len(self.scale):
            return self

        def extended(values: Channels) -> Channels:
            mean = sum(values) / len(values)
            return (*values, *([mean] * (number - len(values))))

        return PixelScaling(
            extended(self.scale),
            extended(self.offset),
            self.reverse,
            extended(self.mean),
            extended(self.deviation),
        )


MINUS_ONE_TO_ONE = PixelScaling((2.0 / 255.0,) * 3, (-1.0,) * 3)
# The mean color of ImageNet, as in VGG.
MINUS_MEAN_RGB = PixelScaling((1.0,) * 3, (-123.68, -116.779, -103.939))
# The same for a backbone with channel order BGR.
MINUS_MEAN_BGR = PixelScaling(offset=(-103.939, -116.779, -123.68), reverse=True)
UNCHANGED = PixelScaling()
# -1 to 1, with the operations of Keras Applications.
KERAS_MINUS_ONE_TO_ONE = PixelScaling(offset=(-1.0,) * 3, deviation=(127.5,) * 3)
# Mean 0 and deviation 1 over ImageNet: (pixel / 255 - mean) / deviation.
IMAGENET = PixelScaling(
    (1.0 / (255.0 * 0.229), 1.0 / (255.0 * 0.224), 1.0 / (255.0 * 0.225)),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)


def prepend_standardization(
    scaling: PixelScaling, mean: Channels, deviation: Channels, reverse: bool
) -> PixelScaling:
    """Returns a scaling that is preceded by a standardization.

    Args:
        scaling: The scaling applied last.
        mean, deviation: Of the input channels, BGR if `reverse`.
        reverse: Reverse the channels first.
    """
    if (mean, deviation) == (_ZEROS, _ONES):
        return dataclasses.replace(scaling, reverse=scaling.reverse != reverse)
    order = -1 if scaling.reverse else 1
    parts = list(
        zip(
            scaling.scale,
            scaling.offset,
            scaling.mean,
            scaling.deviation,
            strict=True,
        )
    )
    return PixelScaling(
        scale=_three(s / d for s, _, _, d in parts),
        offset=_three(o - m * s / d for s, o, m, d in parts),
        reverse=scaling.reverse != reverse,
        mean=_three(mean[::order]),
        deviation=_three(deviation[::order]),
    )


def _three(values: Iterable[float]) -> Channels:
    first, second, third = values
    return first, second, third
