"""One row per augmentation, for the tests of the properties that all of them have.

A new augmentation gets a row in `ROWS`, with settings under which it changes most
samples. Functions that need other samples are rows, too: bind them first.
"""

import dataclasses
import enum
from typing import Any

from odapi.data.augment.color import (
    AdjustBrightness,
    AdjustContrast,
    AdjustHue,
    AdjustSaturation,
)
from odapi.data.augment.crop import CropImage, SsdRandomCrop
from odapi.data.augment.flip import HorizontalFlip, Rotation90, VerticalFlip
from odapi.data.augment.pad import AbsolutePad
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale


class Kind(enum.Enum):
    """Effect of an augmentation on the painted sample.

    GEOMETRY: Pixels move, and keep their colors; annotations move with them.
    COLOR: Pixel values change; positions and all annotations stay.
    ANNOTATIONS: Only annotations change, those named in `changes`.
    MIXED: Colors and positions change, so that objects cannot be found by their
        color: masks, keypoints and boxes must still agree, and objects must stand out
        from the background (`contrast`).
    """

    GEOMETRY = "geometry"
    COLOR = "color"
    ANNOTATIONS = "annotations"
    MIXED = "mixed"


@dataclasses.dataclass(frozen=True)
class Row:
    """An augmentation and what may be expected of it.

    Args:
        step: The augmentation.
        kind: What it changes.
        changes: Fields whose values it changes besides the positions; "*" means that
            all objects may be other ones.
        tolerance: Maximum distance of a box from the pixels of its mask.
        contrast: MIXED only: minimum difference between the mean values inside and
            outside of all masks.
        seeds: Number of random seeds to try.
        always: Whether each of the seeds gives another sample than the input.
    """

    step: Any
    kind: Kind = Kind.GEOMETRY
    changes: frozenset[str] = frozenset()
    tolerance: float = 1.01
    contrast: float = 20.0
    seeds: int = 12
    always: bool = False


ROWS = {
    "horizontal flip": Row(HorizontalFlip(1.0, (0, 1)), always=True),
    "vertical flip": Row(VerticalFlip(1.0, (0, 1)), always=True),
    "rotation": Row(Rotation90(1.0, (0, 1)), always=True),
    "crop": Row(CropImage(0.5, (0.5, 2.0), (0.2, 1.0), 0.1)),
    "crop without clipping": Row(
        CropImage(0.5, (0.5, 2.0), (0.2, 0.9), 0.1, clip_boxes=False)
    ),
    "ssd crop": Row(SsdRandomCrop()),
    "square crop": Row(SquareCropByScale(), always=True),
    # A pixel of the source becomes up to two of the square.
    "scale, crop and pad": Row(
        ScaleCropPadToSquare(150, 0.5, 2.0), tolerance=2.5, always=True
    ),
    "absolute padding": Row(AbsolutePad(15, 30, (0.0, 0.0, 0.0))),
    "padding with the mean color": Row(AbsolutePad(15, 30)),
    "brightness": Row(AdjustBrightness(0.2), Kind.COLOR, always=True),
    "contrast": Row(AdjustContrast(0.5, 2.0), Kind.COLOR, always=True),
    "hue": Row(AdjustHue(0.1), Kind.COLOR),
    "saturation": Row(AdjustSaturation(0.5, 2.0), Kind.COLOR),
}
