"""Preprocessing in the model: pixel normalization and padding."""

from typing import Any

from keras import ops

from odapi.geometry.map_size import MapSize, is_static, map_size
from odapi.layers.pixels import PixelScaling
from odapi.structures import Tensor


def normalize(
    images: Tensor, scaling: PixelScaling, true_size: Tensor | None = None
) -> Tensor:
    """Returns normalized images, float32 `[b, h, w, c]`.

    The original normalizes, then resizes and pads with zeros; here images are already
    resized and padded, so that padding is set to zero after normalization.

    Args:
        images: `[b, h, w, c]` in 0 to 255: RGB and additional channels, or one channel
            for grayscale.
        scaling: Pixel normalization of the backbone.
        true_size: `[b, 2]` int32, height and width without padding; None: padding is
            normalized like any pixel.
    """
    x = ops.cast(images, "float32")
    if x.shape[-1] == 1:
        x = ops.repeat(x, 3, axis=-1)
    if scaling.reverse:
        bgr = ops.flip(x[..., :3], axis=-1)
        x = bgr if x.shape[-1] == 3 else ops.concatenate([bgr, x[..., 3:]], axis=-1)
    # Per row of pixels: on a CPU, broadcasting three numbers per pixel takes longer
    # than some convolutions.
    batch, height, width, channels = ops.shape(x)
    scaling = scaling.with_channels(x.shape[-1])
    x = ops.reshape(x, (batch, height, width * channels))
    if scaling.standardizes:
        x = (x - _row(scaling.mean, width)) / _row(scaling.deviation, width)
    if scaling.scales:
        x = x * _row(scaling.scale, width) + _row(scaling.offset, width)
    if true_size is not None:
        size = ops.cast(true_size, "int32")
        x = x * _inside(size[:, 0], height)[:, :, None]
        x = x * ops.repeat(_inside(size[:, 1], width), channels, axis=-1)[:, None, :]
    return ops.reshape(x, (batch, height, width, channels))


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Returns images padded with zeros at the bottom and right to a multiple."""
    if multiple == 1:
        return images
    size = map_size(images)
    rows, columns = (-side % multiple for side in size)
    if is_static(size) and not rows and not columns:
        return images
    return ops.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)))


def clip_window(true_size: Tensor | None, size: MapSize, batch: Any) -> Tensor:
    """Returns the image without padding `[b, 4]`, normalized to the padded image.

    Args:
        true_size: `[b, 2]` int32, height and width without padding; None: no padding.
        size: Height and width with padding.
        batch: Number of images.
    """
    if true_size is None:
        return ops.broadcast_to(
            ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0]]), (batch, 4)
        )
    padded = ops.stack([ops.cast(side, "float32") for side in size])
    end = ops.cast(true_size, "float32") / padded
    return ops.concatenate([ops.zeros_like(end), end], axis=-1)


def _row(values: tuple[float, ...], width: Any) -> Tensor:
    """Returns the values of all channels for a row of pixels, `[width * c]`."""
    return ops.tile(ops.convert_to_tensor(values, dtype="float32"), [width])


def _inside(length: Tensor, side: Any) -> Tensor:
    """Returns 1.0 for pixels of the image and 0.0 for padding, `[b, side]`."""
    inside = ops.arange(side, dtype="int32")[None, :] < length[:, None]
    return ops.cast(inside, "float32")
