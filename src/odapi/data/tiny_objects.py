"""Objects that nearly vanish when images are resized for training."""

import dataclasses

import numpy as np

from odapi.data.image.resize import Resizer
from odapi.data.resized_boxes import resized
from odapi.data.sample import Sample
from odapi.data.set_checks import SetFinding
from odapi.wording import counted

CHECK = "tiny_objects"
_MANY = 0.1  # Share of the objects from which on it is a finding.


@dataclasses.dataclass(frozen=True)
class Scale:
    """The resolution that a model is trained at.

    Args:
        resizer: Resizer of the model.
        stride: Pixels between locations of its finest feature map.
    """

    resizer: Resizer
    stride: int


@dataclasses.dataclass(frozen=True)
class TinyObject:
    """An object that is smaller than a pixel or a location.

    Args:
        image_id: Id of its image.
        index: Position of the image in the dataset.
        object: Position of the object in the image.
        label: Name of its class.
        width, height: Pixels of the resized image.
        box_px: `[x_min, y_min, x_max, y_max]` in pixels of the image itself.
    """

    image_id: str
    index: int
    object: int
    label: str
    width: float
    height: float
    box_px: tuple[float, ...]


@dataclasses.dataclass
class TinyObjects:
    """Counts objects by their size in the resized images.

    Args:
        stride: Pixels between locations of the finest feature map.
        objects: Number of objects.
        below_pixel: Of these, with a height or width below one pixel.
        below_stride: Of these, with both height and width below the stride.
        smallest: The smallest ones below the stride, by area.
    """

    stride: int
    objects: int = 0
    below_pixel: int = 0
    below_stride: int = 0
    smallest: list[TinyObject] = dataclasses.field(default_factory=list)

    def add(self, index: int, sample: Sample, names: list[str], scale: Scale) -> None:
        """Adds an image, given the class name of each of its objects."""
        boxes, _ = resized(sample, scale.resizer)
        sides = boxes[:, 2:] - boxes[:, :2]
        below = (sides < 1).any(1)
        small = (sides < self.stride).all(1)
        self.objects += len(boxes)
        self.below_pixel += int(below.sum())
        self.below_stride += int(small.sum())
        shape = np.array(sample["size"], np.float64)
        for i in np.flatnonzero(small | below):
            box = np.asarray(sample["boxes"][i], np.float64) * np.tile(shape, 2)
            height, width = (float(f"{side:.3g}") for side in sides[i])
            shown = tuple(round(float(box[k]), 1) for k in (1, 0, 3, 2))
            self.smallest.append(
                TinyObject(
                    sample["image_id"], index, int(i), names[i], width, height, shown
                )
            )
        if len(self.smallest) > 1000:
            self.keep()

    def keep(self, number: int = 100) -> None:
        """Keeps only the smallest objects, smallest first."""
        self.smallest.sort(key=lambda o: (o.width * o.height, o.image_id, o.object))
        del self.smallest[number:]

    def findings(self) -> list[SetFinding]:
        """Returns a finding, if objects vanish or many are small."""
        if not self.below_pixel and self.below_stride < _MANY * self.objects:
            return []
        if not self.objects:
            return []
        first = self.smallest[0]
        return [
            SetFinding(
                CHECK,
                f"at the training resolution {self.below_pixel} of "
                f"{counted(self.objects, 'object')} are below one pixel, and "
                f"{self.below_stride} below the stride of {self.stride} pixels, such "
                f"as {first.width:g} x {first.height:g} pixels in {first.image_id}",
                "enlarge image_resizer, train on tiles (odapi data tile), or leave "
                "such objects out",
            )
        ]
