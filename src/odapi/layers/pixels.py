"""How a backbone wants its pixels."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PixelScaling:
    """`pixel * scale + offset`, for each channel of an RGB image in 0 to 255."""

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]


MINUS_ONE_TO_ONE = PixelScaling((2.0 / 255.0,) * 3, (-1.0,) * 3)
# The mean colour of ImageNet, as VGG had it first.
MINUS_MEAN_RGB = PixelScaling((1.0,) * 3, (-123.68, -116.779, -103.939))
UNCHANGED = PixelScaling((1.0,) * 3, (0.0,) * 3)
