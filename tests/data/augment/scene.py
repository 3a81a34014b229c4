"""An image in which the pixels themselves say where the objects are."""

import numpy as np

# Rows and columns [top, left, bottom, right] of three objects that do not touch.
RECTANGLES = ((4, 6, 20, 30), (30, 10, 55, 25), (10, 60, 50, 90))
COLORS = (80, 160, 240)
HEIGHT, WIDTH = 60, 100


def scene(background=10):
    """A sample: each object is a rectangle of its own color, with its mask, its
    center and its corner as keypoints."""
    image = np.full((HEIGHT, WIDTH, 3), background, "uint8")
    masks = np.zeros((3, HEIGHT, WIDTH), "uint8")
    unit = np.float32([HEIGHT, WIDTH, HEIGHT, WIDTH])
    boxes = np.float32(RECTANGLES) / unit
    for color, mask, (top, left, bottom, right) in zip(
        COLORS, masks, RECTANGLES, strict=True
    ):
        image[top:bottom, left:right] = color
        mask[top:bottom, left:right] = 1
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    keypoints = np.stack([centers, boxes[:, :2]], axis=1)
    return {
        "image": image,
        "image_id": "scene",
        "boxes": boxes,
        "classes": np.arange(3, dtype="int32"),
        "masks": masks,
        "keypoints": keypoints,
        "keypoint_visibility": np.full((3, 2), 2, "int32"),
        "weights": np.float32([1, 0.5, 0.25]),
    }


class Dice:
    """Stands for a random generator: gives what the test wants, in order."""

    def __init__(self, *values):
        self.values = list(values)

    def _next(self):
        return self.values.pop(0)

    def random(self, size=None):
        value = self._next()
        return value if size is None else np.broadcast_to(value, size).copy()

    def uniform(self, low, high):
        return low + (high - low) * self._next()

    def integers(self, low, high=None, endpoint=False):
        return self._next()

    def choice(self, options):
        return options[self._next()]
