"""The 25 operations of AutoAugment for detection, by their names in policies."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from odapi.data.augment.autoaugment import boxes, tones
from odapi.data.augment.autoaugment.regions import (
    Region,
    change_region,
    warp_region,
)
from odapi.data.augment.transforms import drop_outside, hide_points_outside
from odapi.data.augment.warping import FILL, warp_sample
from odapi.data.image.homography import about, rotated, shifted
from odapi.data.sample import Sample, keep_objects

_MAX_LEVEL = 10
_MAX_DEGREES, _MAX_SHEAR = 30.0, 0.3
_BOX_CUTOUT = 0.75


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Pixels of the strongest operations, at level 10.

    Args:
        cutout, box_cutout: Half the side of the square that hides a part of the image,
            or of a box.
        translation, box_translation: Shift of the image, or of the content of a box.
    """

    cutout: int = 100
    box_cutout: int = 50
    translation: int = 250
    box_translation: int = 120


@dataclasses.dataclass(frozen=True)
class Call:
    """One application of an operation.

    Args:
        probability, level: Of the operation in the policy.
        sizes: See `Sizes`.
        rng: Source of random numbers.
    """

    probability: float
    level: float
    sizes: Sizes
    rng: np.random.Generator

    def scaled(self, maximum: float) -> float:
        """Returns the share of a maximum that belongs to the level."""
        return self.level / _MAX_LEVEL * maximum

    def signed(self, maximum: float) -> float:
        """Returns the same with a random sign."""
        value = self.scaled(maximum)
        return value if self.rng.random() >= 0.5 else -value

    @property
    def factor(self) -> float:
        """Factor of a color operation; 1 changes nothing."""
        return self.scaled(1.8) + 0.1


AS_SHIPPED = Sizes()

# Changes a sample with a uint8 array as its image, which it may change in place.
Apply = Callable[[Sample, Call], Sample]
# Changes the pixels of a whole image, or of a box.
Paint = Callable[[np.ndarray, Call], np.ndarray]


def _on_image(paint: Paint) -> Apply:
    """Returns the operation that changes the pixels of the whole image."""
    return lambda sample, call: sample | {"image": paint(sample["image"], call)}


def _drawn_boxes(sample: Sample, call: Call) -> Iterator[Region]:
    """Yields the regions of the boxes that are drawn, in random order."""
    size = sample["image"].shape[:2]
    for index in call.rng.permutation(len(sample["boxes"])):
        if call.rng.random() + call.probability / 3.0 >= 1.0:
            yield Region.of_box(sample["boxes"][index], *size)


def _in_boxes(paint: Paint) -> Apply:
    """Returns the operation that changes the pixels in randomly drawn boxes."""

    def apply(sample: Sample, call: Call) -> Sample:
        for region in _drawn_boxes(sample, call):
            sample = change_region(sample, region, lambda part: paint(part, call))
        return sample

    return apply


def _moved_in_boxes(
    amount: Callable[[Call], float], matrix: Callable[..., np.ndarray]
) -> Apply:
    """Returns the operation that moves the contents of randomly drawn boxes.

    Args:
        amount: Angle, shear or pixels of a call.
        matrix: The map `(height, width, amount)`.
    """

    def apply(sample: Sample, call: Call) -> Sample:
        value = amount(call)
        for region in _drawn_boxes(sample, call):
            map_of_box = matrix(region.height, region.width, value)
            sample = warp_region(sample, region, map_of_box)
        return hide_points_outside(sample)

    return apply


def _moved(
    amount: Callable[[Call], float],
    matrix: Callable[..., np.ndarray],
    move_boxes: Callable[..., np.ndarray],
) -> Apply:
    """Returns the operation that moves the image and everything on it.

    Args:
        amount: Angle, shear or pixels of a call.
        matrix: The map `(height, width, amount)`.
        move_boxes: `(boxes, size, amount)`, moves boxes as the original does.
    """

    def apply(sample: Sample, call: Call) -> Sample:
        value = amount(call)
        size = sample["image"].shape[:2]
        moved, visible = warp_sample(sample, matrix(*size, value), nearest=True)
        exact = np.clip(moved["boxes"], 0, 1)
        truncated = move_boxes(sample["boxes"], size, value)
        # Objects of less than a pixel would lose their area.
        has_area = (truncated[:, 2:] > truncated[:, :2]).all(axis=1, keepdims=True)
        moved["boxes"] = np.where(has_area, truncated, exact)
        # Objects outside of the image would stay as boxes at its edge.
        return drop_outside(keep_objects(moved, visible > 0))

    return apply


def _rotation(height: int, width: int, degrees: float) -> np.ndarray:
    return about((width / 2, height / 2), rotated(degrees))


def _shear_x(height: int, width: int, level: float) -> np.ndarray:
    # About the center of the first pixel.
    shear = np.array([[1.0, -level, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return about((0.5, 0.5), shear)


def _shear_y(height: int, width: int, level: float) -> np.ndarray:
    shear = np.array([[1.0, 0.0, 0.0], [-level, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return about((0.5, 0.5), shear)


def _left(height: int, width: int, pixels: float) -> np.ndarray:
    return shifted(-pixels, 0.0)


def _up(height: int, width: int, pixels: float) -> np.ndarray:
    return shifted(0.0, -pixels)


def _degrees(call: Call) -> float:
    return call.signed(_MAX_DEGREES)


def _shear_level(call: Call) -> float:
    return call.signed(_MAX_SHEAR)


def _translation(call: Call) -> float:
    return call.signed(call.sizes.translation)


def _box_translation(call: Call) -> float:
    return call.signed(call.sizes.box_translation)


def _shear_boxes(along_x: bool) -> Callable[..., np.ndarray]:
    return lambda found, size, level: boxes.shear(found, size, level, along_x)


def _translate_boxes(along_x: bool) -> Callable[..., np.ndarray]:
    return lambda found, size, pixels: boxes.translate(found, size, pixels, along_x)


def _hidden(
    image: np.ndarray, center: tuple[int, int], reach: tuple[int, int]
) -> np.ndarray:
    """Returns the image with a gray rectangle around a center."""
    (y, x), (rows, columns) = center, reach
    image[max(y - rows, 0) : y + rows, max(x - columns, 0) : x + columns] = FILL
    return image


def _cutout(image: np.ndarray, call: Call, maximum: int) -> np.ndarray:
    height, width = image.shape[:2]
    reach = int(call.scaled(maximum))
    center = int(call.rng.integers(0, height)), int(call.rng.integers(0, width))
    return _hidden(image, center, (reach, reach))


def _box_cutout(sample: Sample, call: Call) -> Sample:
    """Hides a rectangle within one box, in proportion to its size."""
    if not len(sample["boxes"]):
        return sample
    height, width = sample["image"].shape[:2]
    box = sample["boxes"][call.rng.integers(0, len(sample["boxes"]))]
    top, left, bottom, right = Region.of_box(box, height, width)
    share = call.scaled(_BOX_CUTOUT)
    y = int(call.rng.integers(top, bottom))
    x = int(call.rng.integers(left, right))
    reach = int(share * (bottom - top) / 2), int(share * (right - left) / 2)
    return sample | {"image": _hidden(sample["image"], (y, x), reach)}


def _solarize(image: np.ndarray, call: Call) -> np.ndarray:
    return tones.solarize(image, int(call.scaled(256)))


def _equalize(image: np.ndarray, call: Call) -> np.ndarray:
    return tones.equalize(image)


OPERATIONS: dict[str, Apply] = {
    "AutoContrast": _on_image(lambda image, call: tones.autocontrast(image)),
    "Equalize": _on_image(_equalize),
    "Posterize": _on_image(lambda i, call: tones.posterize(i, int(call.scaled(4)))),
    "Solarize": _on_image(_solarize),
    "SolarizeAdd": _on_image(
        lambda image, call: tones.solarize_add(image, int(call.scaled(110)))
    ),
    "Color": _on_image(lambda image, call: tones.saturate(image, call.factor)),
    "Contrast": _on_image(lambda image, call: tones.contrast(image, call.factor)),
    "Brightness": _on_image(lambda image, call: tones.brighten(image, call.factor)),
    "Sharpness": _on_image(lambda image, call: tones.sharpen(image, call.factor)),
    "Cutout": _on_image(lambda image, call: _cutout(image, call, call.sizes.cutout)),
    "BBox_Cutout": _box_cutout,
    "Rotate_BBox": _moved(_degrees, _rotation, boxes.rotate),
    "ShearX_BBox": _moved(_shear_level, _shear_x, _shear_boxes(True)),
    "ShearY_BBox": _moved(_shear_level, _shear_y, _shear_boxes(False)),
    "TranslateX_BBox": _moved(_translation, _left, _translate_boxes(True)),
    "TranslateY_BBox": _moved(_translation, _up, _translate_boxes(False)),
    "Rotate_Only_BBoxes": _moved_in_boxes(_degrees, _rotation),
    "ShearX_Only_BBoxes": _moved_in_boxes(_shear_level, _shear_x),
    "ShearY_Only_BBoxes": _moved_in_boxes(_shear_level, _shear_y),
    "TranslateX_Only_BBoxes": _moved_in_boxes(_box_translation, _left),
    "TranslateY_Only_BBoxes": _moved_in_boxes(_box_translation, _up),
    "Flip_Only_BBoxes": _moved_in_boxes(
        lambda call: 0.0,
        lambda height, width, _: np.array(
            [[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        ),
    ),
    "Solarize_Only_BBoxes": _in_boxes(_solarize),
    "Equalize_Only_BBoxes": _in_boxes(_equalize),
    "Cutout_Only_BBoxes": _in_boxes(
        lambda image, call: _cutout(image, call, call.sizes.box_cutout)
    ),
}
