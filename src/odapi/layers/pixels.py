"""How a backbone wants its pixels."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PixelScaling:
    """`pixel * scale + offset`, for each channel of an RGB image in 0 to 255.

    Args:
        scale, offset: One number a channel, in the order that the backbone sees.
        reverse: The backbone sees blue first.
    """

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    reverse: bool = False


MINUS_ONE_TO_ONE = PixelScaling((2.0 / 255.0,) * 3, (-1.0,) * 3)
# The mean colour of ImageNet, as VGG had it first.
MINUS_MEAN_RGB = PixelScaling((1.0,) * 3, (-123.68, -116.779, -103.939))
# The same for a backbone that sees blue first.
MINUS_MEAN_BGR = PixelScaling((1.0,) * 3, (-103.939, -116.779, -123.68), reverse=True)
UNCHANGED = PixelScaling((1.0,) * 3, (0.0,) * 3)
# Mean 0 and deviation 1 over ImageNet: (pixel / 255 - mean) / deviation.
IMAGENET = PixelScaling(
    (1.0 / (255.0 * 0.229), 1.0 / (255.0 * 0.224), 1.0 / (255.0 * 0.225)),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)


def then(first: PixelScaling, second: PixelScaling) -> PixelScaling:
    """Returns the scaling that does what two do, one after the other."""
    order = -1 if second.reverse else 1
    scale, offset = first.scale[::order], first.offset[::order]
    return PixelScaling(
        tuple(a * b for a, b in zip(scale, second.scale, strict=True)),  # type: ignore[arg-type]
        tuple(
            a * b + c
            for a, b, c in zip(offset, second.scale, second.offset, strict=True)
        ),  # type: ignore[arg-type]
        first.reverse != second.reverse,
    )
