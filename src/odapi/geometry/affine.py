"""Translation, scaling and flips of images, boxes and masks about the image center."""

from typing import NamedTuple

from keras import ops

from odapi.geometry.boxes import corners
from odapi.geometry.crop.crop_and_resize import crop_and_resize
from odapi.structures import Tensor


class AffineTransform(NamedTuple):
    """One transform per image, fields `[b]`; the flip comes first.

    Lengths are fractions of the image: it is shifted by `x` and `y` and shown at
    `1 / scale` of its size.
    """

    x: Tensor
    y: Tensor
    scale_x: Tensor
    scale_y: Tensor
    flip: Tensor  # bool

    def inverse(self) -> "AffineTransform":
        """Returns the inverse, up to content that has left the image."""
        return AffineTransform(
            -self.x, -self.y, 1.0 / self.scale_x, 1.0 / self.scale_y, self.flip
        )

    def window(self) -> Tensor:
        """Returns `[b, 4]`: the part of the image that is shown, normalized."""
        y = 0.5 - self.y * self.scale_y
        x = 0.5 - self.x * self.scale_x
        half_y, half_x = 0.5 * self.scale_y, 0.5 * self.scale_x
        return ops.stack([y - half_y, x - half_x, y + half_y, x + half_x], axis=-1)


def transform_images(images: Tensor, transform: AffineTransform) -> Tensor:
    """Returns `images [b, h, w, c]` transformed; content from outside is 0."""
    height, width = images.shape[1:3]
    flip = transform.flip[:, None, None, None]
    images = ops.where(flip, ops.flip(images, axis=2), images)
    window = transform.window()[:, None, :]
    crops = crop_and_resize(images, window, (height, width), zero_pad_border=True)
    return crops[:, 0]


def transform_boxes(boxes: Tensor, transform: AffineTransform) -> Tensor:
    """Returns normalized `boxes [b, n, 4]`, transformed like their images."""
    y0, x0, y1, x1 = corners(boxes)
    flipped = ops.stack([y0, 1.0 - x1, y1, 1.0 - x0], axis=-1)
    boxes = ops.where(transform.flip[:, None, None], flipped, boxes)
    window = transform.window()[:, None, :]
    low, side = window[..., :2], window[..., 2:] - window[..., :2]
    shift = ops.concatenate([low, low], axis=-1)
    return (boxes - shift) / ops.concatenate([side, side], axis=-1)


def transform_masks(masks: Tensor, transform: AffineTransform) -> Tensor:
    """Returns `masks [b, n, h, w]` of whole images, transformed like their images."""
    channels_last = ops.moveaxis(masks, 1, -1)
    return ops.moveaxis(transform_images(channels_last, transform), -1, 1)
