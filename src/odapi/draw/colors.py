"""Distinguishable colors, one per class."""

import math

Color = tuple[int, int, int]  # RGB, 0 to 255.

WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)
INK: Color = (38, 38, 42)  # Text and axes on white.
PALE: Color = (225, 226, 230)  # Grid lines and frames.

# The first classes of a label map: vivid on photographs.
_FIRST: tuple[Color, ...] = (
    (255, 64, 64),  # red
    (0, 150, 255),  # blue
    (50, 205, 50),  # green
    (255, 165, 0),  # orange
    (190, 90, 255),  # violet
    (0, 215, 215),  # cyan
    (255, 90, 190),  # pink
    (240, 220, 30),  # yellow
    (165, 110, 60),  # brown
    (0, 160, 120),  # sea green
    (120, 130, 255),  # lavender
    (170, 220, 60),  # lime
)
_GOLDEN = 0.618034  # Multiples of it, modulo 1, stay well separated.
_LIGHTNESS = (0.72, 0.60, 0.82)


def color_of(index: int) -> Color:
    """Returns the color of a class index; deterministic, for any index.

    >>> color_of(0)
    (255, 64, 64)
    """
    index = max(int(index), 0)
    if index < len(_FIRST):
        return _FIRST[index]
    hue = math.tau * ((index * _GOLDEN) % 1.0)
    return _oklch(_LIGHTNESS[index % len(_LIGHTNESS)], 0.16, hue)


def text_color_on(color: Color) -> Color:
    """Returns black or white, whichever is more readable on `color`.

    >>> text_color_on((240, 220, 30)), text_color_on((40, 40, 160))
    ((0, 0, 0), (255, 255, 255))
    """
    # Relative luminance and contrast of WCAG 2; above 0.179 black contrasts more.
    linear = [_linear(c / 255) for c in color]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return BLACK if luminance > 0.179 else WHITE


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> int:
    value = min(max(value, 0.0), 1.0)
    value = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * value)


def _oklch(lightness: float, chroma: float, hue: float) -> Color:
    """Returns sRGB of a color in OKLCH, a perceptually uniform color space.

    Source: Ottosson 2020, https://bottosson.github.io/posts/oklab/.
    """
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )
