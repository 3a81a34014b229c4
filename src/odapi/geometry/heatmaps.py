"""Heatmaps `[b, h, w, channels]`: drawing Gaussians and finding peaks.

Coordinates are (y, x) in cells; 0 is the center of the first cell.
"""

from typing import NamedTuple

import keras
from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.structures import Tensor

_TOLERANCE = 1e-6  # A cell this close to the maximum of its window is a peak.


def gaussian_radius(heights: Tensor, widths: Tensor, min_iou: float) -> Tensor:
    """Returns the radius within which box corners may move, by the original's rule.

    A box whose corners all move outward by the root `x` of `4 m x^2 + 2 m (h + w) x =
    (1 - m) h w` has the IoU `m`. The original divides by 2 where the root is divided by
    `8 m`, following the code of the paper: the radius is `4 m x`. Its two other cases,
    of boxes that are shifted or shrunk, are then never the minimum.

    Args:
        heights, widths: Sizes of the boxes, any shape.
        min_iou: The IoU `m`, in (0, 1).

    Source: the code of Zhou et al. 2019 (https://arxiv.org/abs/1904.07850), after
    Law and Deng 2018 (https://arxiv.org/abs/1808.01244), section 3.2.
    """
    half = min_iou * (heights + widths)
    inside = 4.0 * min_iou * (1.0 - min_iou) * heights * widths
    return ops.sqrt(ops.square(half) + inside) - half


def gaussian_sigma(heights: Tensor, widths: Tensor, min_iou: float) -> Tensor:
    """Returns the standard deviation of the Gaussian of boxes, in their unit.

    It is a sixth of the diameter `2 * radius + 1` in cells.

    Args:
        heights, widths, min_iou: As for `gaussian_radius`.
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
    """Draws one Gaussian per point, with the maximum where they overlap.

    Args:
        centers: `[b, n, 2]`, rounded down to whole cells.
        sigmas: `[b, n]`, standard deviations, above 0.
        weights: `[b, n]`, heights of the peaks; 0 draws nothing.
        channels: `[b, n]` int32, the channel of each point.
        num_channels: Number of channels.
        map_size: Height and width of the map.

    Returns:
        `[b, h, w, num_channels]` float32 between 0 and the highest weight.
    """
    height, width = map_size
    number = centers.shape[1]
    if not number:
        batch = ops.shape(centers)[0]
        return ops.zeros((batch, height, width, num_channels), "float32")
    cell = ops.floor(centers)
    variance = 2.0 * ops.square(sigmas)[..., None]

    def profile(length: int, place: Tensor) -> Tensor:
        distance = ops.arange(length, dtype="float32") - place[..., None]
        return ops.exp(-ops.square(distance) / variance)

    # exp(a + b) = exp(a) exp(b): exponentials of the height and the width of the map,
    # not of its area.
    rows = profile(height, cell[..., 0]) * weights[..., None]
    columns = profile(width, cell[..., 1])
    gaussians = rows[..., :, None] * columns[..., None, :]  # [b, n, h, w]
    batch = ops.shape(centers)[0]
    start = num_channels * ops.arange(batch, dtype="int32")[:, None]
    highest = ops.segment_max(
        ops.reshape(gaussians, (-1, height * width)),
        ops.reshape(ops.cast(channels, "int32") + start, (-1,)),
        num_segments=batch * num_channels,
    )
    highest = ops.maximum(highest, 0.0)  # Also for channels without a point.
    maps = ops.reshape(highest, (-1, num_channels, height, width))
    return ops.stop_gradient(ops.transpose(maps, (0, 2, 3, 1)))


def keep_peaks(heatmap: Tensor, window: int) -> Tensor:
    """Returns the heatmap with 0 where a cell is not the maximum of its window.

    Args:
        heatmap: `[b, h, w, c]`, 0 or more.
        window: Side of the window around a cell; at most 1 keeps all cells.
    """
    if window <= 1:
        return heatmap
    if keras.backend.backend() == "tensorflow":
        highest = ops.max_pool(heatmap, window, 1, "same", data_format="channels_last")
    else:
        # XLA pools slowly on CPUs, and torch copies to channels first and back.
        highest = _sliding_max(_sliding_max(heatmap, window, 1), window, 2)
    return ops.where(ops.abs(heatmap - highest) < _TOLERANCE, heatmap, 0.0)


def _sliding_max(x: Tensor, window: int, axis: int) -> Tensor:
    """Returns the maximum over a window along an axis, as a few shifts."""
    before, after = (window - 1) // 2, window // 2
    margin = [(0, 0)] * 4
    margin[axis] = (before, after)
    padded = ops.pad(x, margin)  # With 0, the minimum of a heatmap.
    size = x.shape[axis]
    size = ops.shape(x)[axis] if size is None else size
    highest = x
    for shift in range(window):
        if shift != before:
            part = slice(shift, shift + size)
            shifted = padded[:, part] if axis == 1 else padded[:, :, part]
            highest = ops.maximum(highest, shifted)
    return highest


class Peaks(NamedTuple):
    """Highest cells of heatmaps, highest first; ties by row, column, channel."""

    scores: Tensor  # [..., k] float32
    y: Tensor  # [..., k] int32
    x: Tensor  # [..., k] int32
    channels: Tensor  # [..., k] int32


def top_peaks(heatmap: Tensor, k: int) -> Peaks:
    """Returns the `k` highest values of each heatmap, over all channels.

    Args:
        heatmap: `[b, h, w, c]`, of a static size; 0 or more.
        k: Number of peaks. If there are fewer, the rest has score 0 and cell (0, 0).
    """
    _, height, width, channels = heatmap.shape
    if keras.backend.backend() == "torch":
        scores, index = _top_by_cells(heatmap, k)
    else:
        flat = ops.reshape(heatmap, (-1, height * width * channels))
        scores, index = stable_top_k(flat, min(k, flat.shape[1]))
    cell, channel = index // channels, index % channels
    missing = k - index.shape[1]
    peaks = Peaks(scores, cell // width, cell % width, channel)
    if not missing:
        return peaks
    return Peaks(*(ops.pad(v, ((0, 0), (0, missing))) for v in peaks))


def _top_by_cells(heatmap: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Returns scores and flat indices of the highest values, by two small searches.

    The k highest values lie in the k cells of highest maximum; these are sorted by
    position, so that ties go to the first.
    """
    _, height, width, channels = heatmap.shape
    cells = ops.reshape(heatmap, (-1, height * width, channels))
    num_cells = min(k, height * width)
    _, best = stable_top_k(ops.max(cells, axis=-1), num_cells)
    best = ops.sort(best, axis=-1)
    values = ops.reshape(gather_rows(cells, best), (-1, num_cells * channels))
    scores, index = stable_top_k(values, min(k, num_cells * channels))
    return scores, gather_rows(best, index // channels) * channels + index % channels


def top_peaks_per_channel(heatmap: Tensor, k: int) -> Peaks:
    """Returns the `k` highest cells of each channel, in fields `[b, c, k]`.

    Args:
        heatmap: `[b, h, w, c]`, of a static size; 0 or more.
        k: Number of peaks. If there are fewer, the rest has score 0 and cell (0, 0).
    """
    _, height, width, channels = heatmap.shape
    by_channel = ops.transpose(heatmap, (0, 3, 1, 2))
    flat = ops.reshape(by_channel, (-1, height * width))
    scores, cell = stable_top_k(flat, min(k, height * width))
    missing = k - scores.shape[1]
    if missing:
        scores, cell = (ops.pad(v, ((0, 0), (0, missing))) for v in (scores, cell))
    scores, cell = (ops.reshape(v, (-1, channels, k)) for v in (scores, cell))
    channel = ops.arange(channels, dtype="int32")[None, :, None] + 0 * cell
    return Peaks(scores, cell // width, cell % width, channel)


def stable_top_k(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Returns the `k` highest values of each row and their indices; ties by index.

    Args:
        values: `[b, n]`, n at least `k`.
        k: Number of values.
    """
    if keras.backend.backend() != "torch":
        top, index = ops.top_k(values, k)
        return top, ops.cast(index, "int32")
    # torch returns any of several equal values: those that tie with the last are
    # selected again, by index.
    top, _ = ops.top_k(values, k)
    last = top[:, -1:]
    places = ops.arange(values.shape[1], dtype="int32")[None]
    above = ops.cast(values > last, "int32")
    # First the values above the last, then those equal to it.
    rank = ops.where(above > 0, 0, ops.where(values == last, 1, 2))
    order = rank * values.shape[1] + places
    index = -ops.top_k(-order, k)[0] % values.shape[1]
    index = ops.cast(index, "int32")
    best = ops.take_along_axis(values, index, axis=1)
    place = ops.argsort(-best, axis=1)  # Stable.
    best = ops.take_along_axis(best, place, axis=1)
    return best, ops.take_along_axis(index, ops.cast(place, "int32"), axis=1)
