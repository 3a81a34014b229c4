"""Training curves of a run as one image: losses, learning rate, metrics."""

import pathlib

import numpy as np

from odapi.draw.file import save_image
from odapi.draw.plots import Line, plot
from odapi.errors import DataError
from odapi.losses.names import TOTAL_LOSS
from odapi.report.history import LEARNING_RATE, History

FILE = "curves.png"
# Summary metrics, by the ends of the original's names; absent ones are left out.
_METRICS = ("/mAP", "/mAP@.50IOU", "/mAP@.75IOU", "/AR@100")
_SIZES = {"losses": (420, 900), "learning rate": (240, 900), "metrics": (360, 900)}


def save_curves(model_dir: pathlib.Path, history: History) -> pathlib.Path | None:
    """Draws `curves.png` and returns its path; None if there is nothing to draw.

    An image that cannot be written is dropped: it must not end the run with an error.
    """
    steps = [entry["step"] for entry in history.losses]
    panels = []
    if steps:
        panels += [_losses(history, steps), _rate(history, steps)]
    if len(history.evaluations) > 1:  # A single one is no curve.
        panels.append(_metrics(history, max(steps, default=0)))
    if not panels:
        return None
    try:
        return save_image(model_dir / FILE, np.concatenate(panels))
    except DataError:
        return None


def _losses(history: History, steps: list[int]) -> np.ndarray:
    entries = [entry["losses"] for entry in history.losses]
    names = sorted({n for entry in entries for n in entry} - {LEARNING_RATE})
    lines = [
        _line(n.removeprefix("Loss/"), steps, [e.get(n, np.nan) for e in entries])
        for n in sorted(names, key=lambda name: name != TOTAL_LOSS)
    ]
    # The first steps of a run may be a hundred times the rest.
    values = np.concatenate([np.asarray(line.y) for line in lines])
    top = float(np.nanmax(values[np.isfinite(values)], initial=0.0))
    usual = float(np.nanpercentile(values, 98)) if np.isfinite(values).any() else 1.0
    high = min(top, 3 * usual) or 1.0
    return _panel("losses", lines, y_range=(0.0, 1.04 * high))


def _rate(history: History, steps: list[int]) -> np.ndarray:
    rates = [entry["losses"].get(LEARNING_RATE, np.nan) for entry in history.losses]
    return _panel("learning rate", [_line("learning rate", steps, rates)])


def _metrics(history: History, last_step: int) -> np.ndarray:
    steps = [evaluation["step"] for evaluation in history.evaluations]
    found = [evaluation["metrics"] for evaluation in history.evaluations]
    whole = {n: None for metrics in found for n in metrics if "ByCategory" not in n}
    names = [n for n in whole if n.endswith(_METRICS)] or list(whole)[:4]
    lines = [
        _line(n.split("_", 1)[-1], steps, [m.get(n, np.nan) for m in found])
        for n in names
    ]
    x_range = (0.0, float(max(last_step, *steps, 1)))
    return _panel("metrics", lines, x_range=x_range, y_range=(0.0, 1.0))


def _line(name: str, steps: list[int], values: list[float]) -> Line:
    # -1 marks a metric with nothing to measure.
    y = np.array([np.nan if v == -1 else v for v in values], float)
    return Line(name, steps, y)


def _panel(
    name: str,
    lines: list[Line],
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> np.ndarray:
    return plot(
        lines,
        title=name,
        x_label="step",
        x_range=x_range,
        y_range=y_range,
        size=_SIZES[name],
    )
