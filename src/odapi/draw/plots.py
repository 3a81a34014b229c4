"""Line plots drawn with OpenCV, without a plotting library."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from odapi.draw.colors import INK, PALE, WHITE, Color, color_of
from odapi.draw.text import fit_text, put_text, text_size

_SUBPIXELS = 4  # Bits: OpenCV draws lines at sixteenths of a pixel.
_LARGEST = 1e300  # Of a range: its ends have differences.
_RADIUS = 5  # Pixels of a dot.
_MAX_NAMED = 24  # Maximum number of lines in a legend.


@dataclasses.dataclass(frozen=True)
class Line:
    """One curve; points that are not finite interrupt it.

    Args:
        name: For the legend.
        x, y: Coordinates of its points, of equal length.
        color: RGB; None uses the next of the palette.
        wide: Whether to draw it bold.
        dots: Whether to draw dots instead of a line.
    """

    name: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    color: Color | None = None
    wide: bool = False
    dots: bool = False


@dataclasses.dataclass(frozen=True)
class _Frame:
    """The plotting area and the values at its sides."""

    left: int
    top: int
    right: int
    bottom: int
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: np.ndarray | float) -> np.ndarray | float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: np.ndarray | float) -> np.ndarray | float:
        low, high = self.y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)


def plot(
    lines: Sequence[Line],
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    size: tuple[int, int] = (540, 860),
) -> np.ndarray:
    """Returns a line plot with axes and a legend.

    Args:
        lines: The curves; the legend names at most the first 24.
        title: Above the plot.
        x_label, y_label: Labels of the axes.
        x_range, y_range: Range of the axes; None means that of the data.
        size: (height, width) in pixels.
    """
    height, width = size
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = WHITE
    font = max(11, round(min(height, width) / 38))
    colors = [line.color or color_of(n) for n, line in enumerate(lines)]
    legend = _legend_width(lines, font, width) if len(lines) > 1 else 0
    x_range = x_range or _range([line.x for line in lines])
    y_range = y_range or _range([line.y for line in lines])
    widest = max(text_size(_short(t), font)[0] for t in _ticks(*y_range))
    frame = _Frame(
        left=widest + 2 * font,
        top=round(3.4 * font),
        right=width - round(1.5 * font) - legend,
        bottom=height - round(3.4 * font),
        x_range=x_range,
        y_range=y_range,
    )
    _draw_axes(canvas, frame, font)
    # The first is drawn on top, as it is first in the legend.
    for line, color in reversed(list(zip(lines, colors, strict=True))):
        _draw_line(canvas, frame, line, color)
    put_text(canvas, title, frame.left, round(1.5 * font), round(1.15 * font), INK)
    put_text(canvas, y_label, font // 2, round(2.8 * font), font, INK)
    x_width = text_size(x_label, font)[0]
    put_text(canvas, x_label, frame.right - x_width, height - font // 2, font, INK)
    if legend:
        _draw_legend(canvas, lines, colors, frame.right + round(1.5 * font), font)
    return canvas


def precision_recall_plot(
    curves: Mapping[str, np.ndarray],
    average_precision: Mapping[str, float],
    recalls: np.ndarray,
    class_indices: Mapping[str, int] | None = None,
    title: str = "Precision and recall at IoU 0.5",
) -> np.ndarray:
    """Returns a plot of one precision-recall curve per class, and their mean.

    Args:
        curves: Precision `[n]` at each recall, by class.
        average_precision: Average precision per class, for the legend and the order.
        recalls: `[n]`.
        class_indices: Index per class, so that its color equals that of its boxes.
        title: Above the plot.
    """
    order = sorted(curves, key=lambda name: -average_precision[name])
    place = class_indices or {name: n for n, name in enumerate(curves)}
    lines = [
        Line(f"{name}  {average_precision[name]:.3f}", recalls, curves[name],
             color_of(place[name]))
        for name in order
    ]  # fmt: skip
    if len(lines) > 1:
        mean = float(np.mean([average_precision[name] for name in order]))
        curve = np.mean([curves[name] for name in order], axis=0)
        lines.insert(0, Line(f"mean  {mean:.3f}", recalls, curve, INK, wide=True))
    return plot(
        lines,
        title=title,
        x_label="recall",
        y_label="precision",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.02),
    )


def _range(values: Sequence[npt.ArrayLike]) -> tuple[float, float]:
    arrays = [np.asarray(v, float).reshape(-1) for v in values]
    flat = np.concatenate([*arrays, np.zeros(0)])
    flat = np.clip(flat[np.isfinite(flat)], -_LARGEST, _LARGEST)
    if not flat.size:
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    margin = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    # Losses and metrics are bounded by 0: no margin below it.
    return (low - margin if low < 0 else max(low - margin, 0.0)), high + margin


def _ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from `low` to `high`.

    >>> _ticks(0.0, 1.02)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.9)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _short(value: float) -> str:
    if abs(value) >= 10000 and value == round(value):
        return f"{value / 1000:g}k"
    return f"{value:g}"


def _draw_axes(canvas: np.ndarray, frame: _Frame, font: int) -> None:
    for value in _ticks(*frame.y_range):
        y = round(float(frame.y(value)))
        cv2.line(canvas, (frame.left, y), (frame.right, y), PALE, 1)
        text = _short(value)
        left = frame.left - font // 2 - text_size(text, font)[0]
        put_text(canvas, text, left, y + font // 3, font, INK)
    for value in _ticks(*frame.x_range):
        x = round(float(frame.x(value)))
        cv2.line(canvas, (x, frame.top), (x, frame.bottom), PALE, 1)
        text = _short(value)
        left = x - text_size(text, font)[0] // 2
        put_text(canvas, text, left, frame.bottom + round(1.3 * font), font, INK)
    corner = (frame.left, frame.bottom)
    cv2.line(canvas, corner, (frame.right, frame.bottom), INK, 1)
    cv2.line(canvas, corner, (frame.left, frame.top), INK, 1)


def _draw_line(canvas: np.ndarray, frame: _Frame, line: Line, color: Color) -> None:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    whole = np.isfinite(x) & np.isfinite(y)
    # Clipped, since values far outside would overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        points = np.stack([frame.x(x), frame.y(y)], axis=-1)
    points = np.clip(np.nan_to_num(points), -1e4, 1e5)
    points = np.round(points * (1 << _SUBPIXELS)).astype(np.int32)
    width = 3 if line.wide else 2
    inside = canvas[frame.top : frame.bottom + 1, frame.left : frame.right + 1].copy()
    offset = np.array([frame.left, frame.top]) << _SUBPIXELS
    if line.dots:
        for center in (points[whole] - offset).tolist():
            radius = _RADIUS << _SUBPIXELS
            cv2.circle(inside, center, radius, color, -1, cv2.LINE_AA, _SUBPIXELS)
        whole = np.zeros_like(whole)
    breaks = np.flatnonzero(~whole)
    for run in np.split(np.arange(len(x)), breaks):
        run = run[whole[run]]
        if run.size:
            run = (
                np.repeat(run, 2) if run.size == 1 else run
            )  # A single point is drawn as a dot.
            path = (points[run] - offset).astype(np.int32)
            cv2.polylines(inside, [path], False, color, width, cv2.LINE_AA, _SUBPIXELS)
    canvas[frame.top : frame.bottom + 1, frame.left : frame.right + 1] = inside


def _legend_width(lines: Sequence[Line], font: int, width: int) -> int:
    # Names of a whole file are cut when they are drawn.
    widest = max(text_size(line.name[:width], font)[0] for line in lines)
    return min(widest + 3 * font, width // 3)


def _draw_legend(
    canvas: np.ndarray,
    lines: Sequence[Line],
    colors: Sequence[Color],
    left: int,
    font: int,
) -> None:
    max_width = canvas.shape[1] - left - 2 * font
    rows = min(_MAX_NAMED, (canvas.shape[0] - 4 * font) // round(1.5 * font) - 1)
    for n, (line, color) in enumerate(zip(lines, colors, strict=True)):
        y = round(3.4 * font) + n * round(1.5 * font)
        if n == rows and len(lines) > rows + 1:
            more = f"and {len(lines) - n} more"
            put_text(canvas, more, left + round(1.6 * font), y + font // 3, font, INK)
            return
        if line.dots:
            center = (left + font // 2, y)
            cv2.circle(canvas, center, _RADIUS, color, -1, cv2.LINE_AA)
        else:
            cv2.line(canvas, (left, y), (left + font, y), color, 3 if line.wide else 2)
        name = fit_text(line.name, font, max_width)
        put_text(canvas, name, left + round(1.6 * font), y + font // 3, font, INK)
