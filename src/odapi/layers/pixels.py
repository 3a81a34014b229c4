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
# Mean 0 and deviation 1 over ImageNet: (pixel / 255 - mean) / deviation.
IMAGENET = PixelScaling(
    (1.0 / (255.0 * 0.229), 1.0 / (255.0 * 0.224), 1.0 / (255.0 * 0.225)),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)
