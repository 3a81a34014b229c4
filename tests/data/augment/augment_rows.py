"""One row per augmentation, for the tests of the properties that all of them have.

A new augmentation gets a row in `ROWS`, with settings under which it changes most
samples. Functions that need other samples are rows, too: bind them first.
"""

import dataclasses
import enum
from typing import Any

from odapi.data.augment.autoaugment.augment import AutoAugment
from odapi.data.augment.autoaugment.operations import Sizes
from odapi.data.augment.autoaugment.policies import POLICIES
from odapi.data.augment.color import (
    AdjustBrightness,
    AdjustContrast,
    AdjustGamma,
    AdjustHue,
    AdjustSaturation,
    RgbToGray,
)
from odapi.data.augment.copy_paste import CopyPaste
from odapi.data.augment.crop import CropImage, CropToAspectRatio, SsdRandomCrop
from odapi.data.augment.crop_pad import (
    CropPadImage,
    SsdRandomCropFixedAspectRatio,
    SsdRandomCropPad,
    SsdRandomCropPadFixedAspectRatio,
)
from odapi.data.augment.degrade import JpegQuality, RandomBlur
from odapi.data.augment.distort import DistortColor
from odapi.data.augment.flip import HorizontalFlip, Rotation90, VerticalFlip
from odapi.data.augment.jitter import JitterBoxes
from odapi.data.augment.labels import (
    DropLabel,
    RemapLabels,
    RetainAboveThreshold,
    SoftmaxScores,
)
from odapi.data.augment.mixup import MixUp
from odapi.data.augment.mosaic import Mosaic
from odapi.data.augment.noise import PatchGaussian, PixelValueScale, RandomNoise
from odapi.data.augment.normalize import NormalizeImage, SubtractChannelMean
from odapi.data.augment.pad import AbsolutePad, PadImage, PadToAspectRatio
from odapi.data.augment.patches import BlackPatches, RandomErasing
from odapi.data.augment.perspective import RandomPerspective
from odapi.data.augment.resize import (
    DownscaleToPixels,
    ImageScale,
    Resize,
    ResizeByRandomMethod,
)
from odapi.data.augment.self_concat import SelfConcat
from odapi.data.augment.square import ScaleCropPadToSquare, SquareCropByScale
from odapi.data.image.resize import (
    ConditionalShape,
    FixedShape,
    KeepAspectRatio,
    PadToMultiple,
)


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
        tight: Whether boxes are as small as the masks; False: masks stay inside.
        always: Whether each of the seeds gives another sample than the input.
    """

    step: Any
    kind: Kind = Kind.GEOMETRY
    changes: frozenset[str] = frozenset()
    tolerance: float = 1.01
    contrast: float = 20.0
    tight: bool = True
    seeds: int = 12
    always: bool = False


ALL = frozenset("*")
BOXES = frozenset({"boxes"})
# For images of 60 x 100 pixels, on which AutoAugment would hide everything.
_SIZES = Sizes(cutout=15, box_cutout=8, translation=25, box_translation=12)

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
    # Without other samples, these combine the sample with itself.
    "mosaic": Row(Mosaic(1.0, 1.0, 1.0, 0.0), changes=ALL, always=True),
    "scaled mosaic": Row(Mosaic(1.0), Kind.MIXED, ALL, tolerance=2.5, always=True),
    "mixup": Row(MixUp(1.0), Kind.MIXED, changes=ALL),
    "copy-paste": Row(CopyPaste(1.0), changes=ALL),
    "random padding": Row(PadImage(), always=True),
    "padding to an aspect ratio": Row(PadToAspectRatio(0.7), always=True),
    "crop to an aspect ratio": Row(CropToAspectRatio(0.8, 0.1), always=True),
    "crop to an aspect ratio without clipping": Row(
        CropToAspectRatio(3.0, 0.1, clip_boxes=False), always=True
    ),
    "crop and padding": Row(
        CropPadImage(CropImage(0.5, (0.5, 2.0), (0.2, 1.0), 0.1)), always=True
    ),
    "ssd crop and padding": Row(SsdRandomCropPad(), always=True),
    "ssd crop of one aspect ratio": Row(
        SsdRandomCropFixedAspectRatio(aspect_ratio=1.5), always=True
    ),
    "ssd crop, padded to one aspect ratio": Row(
        SsdRandomCropPadFixedAspectRatio(), always=True
    ),
    "two images of one": Row(SelfConcat(0.7, 0.7)),
    # Up to two pixels for one, and sampled as in the original, not at pixel centers.
    "random scale": Row(ImageScale(1.1, 2.0), tolerance=2.5, always=True),
    "random smaller scale": Row(
        ImageScale(0.5, 1.0), Kind.MIXED, tolerance=1.5, always=True
    ),
    "resizing": Row(Resize(FixedShape(70, 80)), Kind.MIXED, tolerance=1.5, always=True),
    "nearest resizing": Row(
        Resize(FixedShape(70, 50, method="nearest")), tolerance=1.5, always=True
    ),
    "cubic resizing": Row(
        Resize(FixedShape(70, 150, method="bicubic")),
        Kind.MIXED,
        tolerance=1.5,
        always=True,
    ),
    "resizing to a range": Row(
        Resize(KeepAspectRatio(80, 120, True, pad_value=(1.0, 2.0, 3.0))),
        tolerance=1.5,
        always=True,
    ),
    "resizing of large images": Row(
        Resize(ConditionalShape("greater", 70)), Kind.MIXED, always=True
    ),
    "resizing of small images": Row(
        Resize(ConditionalShape("smaller", 90)), tolerance=1.5, always=True
    ),
    "padding to a multiple": Row(Resize(PadToMultiple(32)), always=True),
    "random method of resizing": Row(
        ResizeByRandomMethod(70, 80), Kind.MIXED, tolerance=1.5, always=True
    ),
    "random number of pixels": Row(
        DownscaleToPixels(1000, 5000), Kind.MIXED, tolerance=1.5, always=True
    ),
    "jitter": Row(JitterBoxes(0.3), Kind.ANNOTATIONS, BOXES, always=True),
    "symmetric jitter": Row(
        JitterBoxes(0.3, "expand_symmetric_xy"), Kind.ANNOTATIONS, BOXES, always=True
    ),
    "dropped label": Row(DropLabel(1, 0.5), Kind.ANNOTATIONS),
    "remapped labels": Row(
        RemapLabels((0, 2), 1),
        Kind.ANNOTATIONS,
        frozenset({"classes", "multiclass_scores"}),
        always=True,
    ),
    "softmax": Row(
        SoftmaxScores(2.0),
        Kind.ANNOTATIONS,
        frozenset({"multiclass_scores"}),
        always=True,
    ),
    "weights above a threshold": Row(
        RetainAboveThreshold(0.3), Kind.ANNOTATIONS, always=True
    ),
    "brightness": Row(AdjustBrightness(0.2), Kind.COLOR, always=True),
    "contrast": Row(AdjustContrast(0.5, 2.0), Kind.COLOR, always=True),
    "hue": Row(AdjustHue(0.1), Kind.COLOR),
    "saturation": Row(AdjustSaturation(0.5, 2.0), Kind.COLOR),
    "distortion of color": Row(DistortColor(0), Kind.COLOR, always=True),
    "other distortion of color": Row(DistortColor(1), Kind.COLOR, always=True),
    "gamma": Row(AdjustGamma(0.5, 1.2), Kind.COLOR, always=True),
    "gray": Row(RgbToGray(), Kind.COLOR, always=True),
    "random gray": Row(RgbToGray(0.5), Kind.COLOR),
    "scaled values": Row(PixelValueScale(0.5, 1.5), Kind.COLOR, always=True),
    "black patches": Row(BlackPatches(10, 0.5, 0.3), Kind.COLOR, always=True),
    "jpeg quality": Row(JpegQuality(0.1, (0, 60)), Kind.COLOR),
    "patch of noise": Row(PatchGaussian(0.1, (5, 30), (0.2, 1.0)), Kind.COLOR),
    "normalization": Row(NormalizeImage((0, 255), (-1, 1)), Kind.COLOR, always=True),
    "channel means": Row(SubtractChannelMean((99, 8, 7)), Kind.COLOR, always=True),
    "erasing": Row(RandomErasing(0.9, (0.05, 0.3), 3), Kind.COLOR),
    "blur": Row(RandomBlur(0.9, 7, 0.5), Kind.COLOR),
    "rotation, shear and scale": Row(
        RandomPerspective(1.0, 45.0, 15.0, (0.7, 1.5), 0.2, 0.0, 0.3),
        Kind.MIXED,
        tolerance=2.0,
        always=True,
    ),
    "perspective": Row(
        RandomPerspective(1.0, 0.0, 0.0, (1.0, 1.3), 0.1, 0.6, 0.1),
        Kind.MIXED,
        tolerance=2.0,
        always=True,
    ),
    **{
        f"AutoAugment {policy}": Row(
            AutoAugment(policy, _SIZES),
            Kind.MIXED,
            # Each of two operations truncates boxes; v0 and v1 also move the contents
            # of boxes, of which objects that touch are a part.
            tolerance=12.0 if policy in ("v0", "v1") else 4.0,
            contrast=0.0,  # Color operations may make objects as the background is.
            tight=False,
            seeds=40,
        )
        for policy in POLICIES
    },
    "noise": Row(RandomNoise(0.9, 0.2), Kind.COLOR),
}
