"""Images and boxes, moved and scaled about the middle of the image."""

from typing import NamedTuple

from keras import ops

from odapi.geometry.boxes import corners
from odapi.geometry.crop.crop_and_resize import crop_and_resize
from odapi.structures import Tensor


class AffineTransform(NamedTuple):
    """What is done to each image, `[b]` each; first the flip, then the rest.

    Shares of the image: it moves by `x` and `y` and grows by one over `scale`.
    """

    x: Tensor
    y: Tensor
    scale_x: Tensor
    scale_y: Tensor
    flip: Tensor  # bool

    def inverse(self) -> "AffineTransform":
        """Returns what undoes it, up to what has left the image."""
        return AffineTransform(
            -self.x, -self.y, 1.0 / self.scale_x, 1.0 / self.scale_y, self.flip
        )

    def window(self) -> Tensor:
        """Returns `[b, 4]`: the part of the image that is shown, normalised."""
        y = 0.5 - self.y * self.scale_y
        x = 0.5 - self.x * self.scale_x
        half_y, half_x = 0.5 * self.scale_y, 0.5 * self.scale_x
        return ops.stack([y - half_y, x - half_x, y + half_y, x + half_x], axis=-1)


def transform_images(images: Tensor, motion: AffineTransform) -> Tensor:
    """Returns `images [b, h, w, c]` moved; what comes in from outside is 0."""
    height, width = images.shape[1:3]
    flip = motion.flip[:, None, None, None]
    images = ops.where(flip, ops.flip(images, axis=2), images)
    window = motion.window()[:, None, :]
    return crop_and_resize(images, window, (height, width), zero_pad_border=True)[:, 0]


def transform_boxes(boxes: Tensor, motion: AffineTransform) -> Tensor:
    """Returns `boxes [b, n, 4]`, normalised, moved as their images."""
    y0, x0, y1, x1 = corners(boxes)
    flipped = ops.stack([y0, 1.0 - x1, y1, 1.0 - x0], axis=-1)
    boxes = ops.where(motion.flip[:, None, None], flipped, boxes)
    window = motion.window()[:, None, :]
    low, side = window[..., :2], window[..., 2:] - window[..., :2]
    shift = ops.concatenate([low, low], axis=-1)
    return (boxes - shift) / ops.concatenate([side, side], axis=-1)


def transform_masks(masks: Tensor, motion: AffineTransform) -> Tensor:
    """Returns `masks [b, n, h, w]` of whole images, moved as their images."""
    return ops.moveaxis(transform_images(ops.moveaxis(masks, 1, -1), motion), -1, 1)
