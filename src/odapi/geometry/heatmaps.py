"""Heatmaps `[b, h, w, channels]`: Gaussians drawn into them, peaks found in them.

Coordinates are (y, x) in cells; the centre of cell 0 is at 0.
"""

from typing import NamedTuple

import keras
from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_SAME = 1e-6  # A cell that is so close to the highest around it is a peak.


def gaussian_radius(heights: Tensor, widths: Tensor, min_iou: float) -> Tensor:
    """Returns how far corners of boxes may be off, by the rule of the original.

    A box whose corners are all off to the outside by the root `x` of
    `4 m x^2 + 2 m (h + w) x = (1 - m) h w` overlaps by `m`. The original divides by 2
    where the root is divided by `8 m`, as the code of the paper did: the reach is
    `4 m x`. Its other two cases, of boxes that are shifted or shrunk, then are never
    the least.

    Args:
        heights, widths: Of the boxes, any shape.
        min_iou: The overlap `m`, in (0, 1).

    Source: the code of Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), after
    Law and Deng 2018 (https://arxiv.org/abs/1808.01244), section 3.2.
    """
    half = min_iou * (heights + widths)
    inside = 4.0 * min_iou * (1.0 - min_iou) * heights * widths
    return ops.sqrt(ops.square(half) + inside) - half


def gaussian_sigma(heights: Tensor, widths: Tensor, min_iou: float) -> Tensor:
    """Returns the deviation of the Gaussian of boxes, in the unit of their sizes.

    A sixth of the cells that are in reach of the centre, as an odd number.
    """
    radius = ops.maximum(ops.floor(gaussian_radius(heights, widths, min_iou)), 0.0)
    return (2.0 * radius + 1.0) / 6.0


def draw_gaussians(
    centers: Tensor,
    sigmas: Tensor,
    weights: Tensor,
    channels: Tensor,
    num_channels: int,
    map_size: tuple[int, int],
) -> Tensor:
    """Draws a Gaussian for each point; where they overlap, the highest counts.

    Args:
        centers: `[b, n, 2]`, rounded down to whole cells.
        sigmas: `[b, n]`, deviations, above 0.
        weights: `[b, n]`, heights of the peaks; 0: not drawn.
        channels: `[b, n]` int32, where it is drawn.
        num_channels: Number of channels.
        map_size: Height and width of the map.

    Returns:
        `[b, h, w, num_channels]` float32 in 0 to the highest weight.
    """
    height, width = map_size
    number = centers.shape[1]
    if not number:
        batch = ops.shape(centers)[0]
        return ops.zeros((batch, height, width, num_channels), "float32")
    cell = ops.floor(centers)
    narrow = 2.0 * ops.square(sigmas)[..., None]

    def slope(length, place):
        distance = ops.arange(length, dtype="float32") - place[..., None]
        return ops.exp(-ops.square(distance) / narrow)

    # exp(a + b) = exp(a) exp(b): the height and the width of the map, not its area.
    rows = slope(height, cell[..., 0]) * weights[..., None]
    columns = slope(width, cell[..., 1])
    one_each = rows[..., :, None] * columns[..., None, :]
    batch = ops.shape(centers)[0]
    start = num_channels * ops.arange(batch, dtype="int32")[:, None]
    highest = ops.segment_max(
        ops.reshape(one_each, (-1, height * width)),
        ops.reshape(ops.cast(channels, "int32") + start, (-1,)),
        num_segments=batch * num_channels,
    )
    highest = ops.maximum(highest, 0.0)  # Also of channels without a point.
    maps = ops.reshape(highest, (-1, num_channels, height, width))
    return ops.stop_gradient(ops.transpose(maps, (0, 2, 3, 1)))


def keep_peaks(heatmap: Tensor, window: int) -> Tensor:
    """Returns the heatmap with 0 where a cell is not the highest around it.

    Args:
        heatmap: `[b, h, w, c]`, 0 or more.
        window: Side of the window around a cell; 1 or less: all cells are peaks.
    """
    if window <= 1:
        return heatmap
    if keras.backend.backend() == "tensorflow":
        highest = ops.max_pool(heatmap, window, 1, "same", data_format="channels_last")
    else:
        # XLA pools slowly on a CPU, and torch copies to channels first and back.
        highest = _highest_around(_highest_around(heatmap, window, 1), window, 2)
    return ops.where(ops.abs(heatmap - highest) < _SAME, heatmap, 0.0)


def _highest_around(x: Tensor, window: int, axis: int) -> Tensor:
    """Returns the maximum over a window along an axis, as a few shifts."""
    before, after = (window - 1) // 2, window // 2
    margin = [(0, 0)] * 4
    margin[axis] = (before, after)
    padded = ops.pad(x, margin)  # Of 0, the least there is.
    size = x.shape[axis]
    size = ops.shape(x)[axis] if size is None else size
    highest = x
    for shift in range(window):
        if shift != before:
            part = slice(shift, shift + size)
            moved = padded[:, part] if axis == 1 else padded[:, :, part]
            highest = ops.maximum(highest, moved)
    return highest


class Peaks(NamedTuple):
    """The highest cells of heatmaps, highest first; ties by row, column, channel."""

    scores: Tensor  # [..., k] float32
    y: Tensor  # [..., k] int32
    x: Tensor  # [..., k] int32
    channels: Tensor  # [..., k] int32


def top_peaks(heatmap: Tensor, k: int) -> Peaks:
    """Returns the `k` highest numbers of each heatmap, over all channels.

    Args:
        heatmap: `[b, h, w, c]`, of a known size; 0 or more.
        k: How many. Where there are fewer, the rest has score 0 and cell (0, 0).
    """
    _, height, width, channels = heatmap.shape
    if keras.backend.backend() == "torch":
        scores, index = _top_by_cells(heatmap, k)
    else:
        flat = ops.reshape(heatmap, (-1, height * width * channels))
        scores, index = stable_top_k(flat, min(k, flat.shape[1]))
    cell, channel = index // channels, index % channels
    missing = k - index.shape[1]
    places = Peaks(scores, cell // width, cell % width, channel)
    if not missing:
        return places
    return Peaks(*(ops.pad(v, ((0, 0), (0, missing))) for v in places))


def _top_by_cells(heatmap: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Returns scores and flat places of the highest numbers, by two small searches.

    The k highest numbers lie in the k cells of highest maximum; these are taken in
    order, so that ties go to the first.
    """
    _, height, width, channels = heatmap.shape
    cells = ops.reshape(heatmap, (-1, height * width, channels))
    most = min(k, height * width)
    _, best = stable_top_k(ops.max(cells, axis=-1), most)
    best = ops.sort(best, axis=-1)
    few = ops.reshape(gather_rows(cells, best), (-1, most * channels))
    scores, index = stable_top_k(few, min(k, most * channels))
    return scores, gather_rows(best, index // channels) * channels + index % channels


def top_peaks_per_channel(heatmap: Tensor, k: int) -> Peaks:
    """Returns the `k` highest cells of each channel, fields `[b, c, k]`.

    Args:
        heatmap: `[b, h, w, c]`, of a known size; 0 or more.
        k: How many. Where there are fewer, the rest has score 0 and cell (0, 0).
    """
    _, height, width, channels = heatmap.shape
    by_channel = ops.transpose(heatmap, (0, 3, 1, 2))
    flat = ops.reshape(by_channel, (-1, height * width))
    scores, cell = stable_top_k(flat, min(k, height * width))
    missing = k - scores.shape[1]
    if missing:
        scores, cell = (ops.pad(v, ((0, 0), (0, missing))) for v in (scores, cell))
    scores, cell = (ops.reshape(v, (-1, channels, k)) for v in (scores, cell))
    own = ops.arange(channels, dtype="int32")[None, :, None] + 0 * cell
    return Peaks(scores, cell // width, cell % width, own)


def stable_top_k(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Returns the `k` highest of each row, and where; of equal ones the first.

    Args:
        values: `[b, n]`, n at least `k`.
        k: How many.
    """
    if keras.backend.backend() != "torch":
        top, index = ops.top_k(values, k)
        return top, ops.cast(index, "int32")
    # torch takes any of equal ones: those that tie with the last are taken anew.
    top, _ = ops.top_k(values, k)
    last = top[:, -1:]
    places = ops.arange(values.shape[1], dtype="int32")[None]
    above = ops.cast(values > last, "int32")
    # Above the last, then equal to it, each in order.
    rank = ops.where(above > 0, 0, ops.where(values == last, 1, 2))
    order = rank * values.shape[1] + places
    index = -ops.top_k(-order, k)[0] % values.shape[1]
    index = ops.cast(index, "int32")
    best = ops.take_along_axis(values, index, axis=1)
    place = ops.argsort(-best, axis=1)  # Stable.
    best = ops.take_along_axis(best, place, axis=1)
    return best, ops.take_along_axis(index, ops.cast(place, "int32"), axis=1)
