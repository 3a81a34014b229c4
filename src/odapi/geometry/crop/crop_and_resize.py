"""`crop_and_resize` by index, on every backend and for every device."""

from keras import ops

from odapi.geometry.crop.sampling import Border, gather_bilinear, sample_positions
from odapi.structures import Tensor


def crop_and_resize(
    maps: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    channels: Tensor | None = None,
    zero_pad_border: bool = False,
) -> Tensor:
    """Crops boxes out of maps and resizes each crop to one size, bilinearly.

    The first and last row of a crop lie on the edges of its box, and 0 and 1 are the
    centers of the first and last row of the map. A crop of one row samples the middle.
    Points outside the map are 0.

    Args:
        maps: `[b, h, w, c]`; integers are read as float32.
        boxes: `[b, n, 4]` normalized; they may extend beyond the map or be mirrored.
        size: Rows and columns of a crop.
        channels: `[b, n]` int32: crop a single channel, chosen per box.
        zero_pad_border: Interpolate between the border and zeros one cell outside the
            map, instead of returning 0 for every point outside.

    Returns:
        `[b, n, rows, columns, c]`, or `[b, n, rows, columns]` with `channels`.

    Source: `tf.image.crop_and_resize`; with `zero_pad_border`, `matmul_crop_and_resize`
    of the original's `utils/spatial_transform_ops.py`.
    """
    height, width, depth = maps.shape[1:]
    border: Border = "zero_pad" if zero_pad_border else "none"
    batch = ops.shape(boxes)[0]
    y0, x0, y1, x1 = ops.unstack(ops.cast(boxes, "float32"), 4, axis=-1)
    rows = sample_positions(y0, y1, height - 1, size[0], exact_ends=True)
    columns = sample_positions(x0, x1, width - 1, size[1], exact_ends=True)
    if channels is None:
        table = ops.reshape(maps, (batch, height * width, depth))
        return gather_bilinear(table, rows, columns, (height, width), border=border)
    table = ops.reshape(maps, (batch, height * width * depth, 1))
    crops = gather_bilinear(
        table, rows, columns, (height, width), channels, step=depth, border=border
    )
    return ops.squeeze(crops, -1)


def crop_each_mask(
    masks: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    zero_pad_border: bool = False,
) -> Tensor:
    """Crops each mask by its own box; see `crop_and_resize`.

    Args:
        masks: `[b, n, h, w]`; integers are read as float32.
        boxes: `[b, n, 4]` normalized.
        size: Rows and columns of a crop.
        zero_pad_border: As in `crop_and_resize`.

    Returns:
        `[b, n, rows, columns]`.
    """
    height, width = masks.shape[2:]
    flat = ops.reshape(masks, (-1, height, width, 1))
    crops = crop_and_resize(
        flat,
        ops.reshape(boxes, (-1, 1, 4)),
        size,
        zero_pad_border=zero_pad_border,
    )
    return ops.reshape(crops, (*ops.shape(masks)[:2], *size))
