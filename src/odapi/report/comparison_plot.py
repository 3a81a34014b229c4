"""Metrics and losses of several runs over their steps, as one image."""

from collections.abc import Sequence

import numpy as np

from odapi.draw.colors import color_of
from odapi.draw.plots import Line, plot
from odapi.losses.names import TOTAL_LOSS
from odapi.report.comparison import Comparison
from odapi.report.metric_names import TRAIN, short_name
from odapi.report.run_record import RunRecord, is_loss

_SIZE = (380, 900)
_MAX_PANELS = 12
_MAIN = ("/mAP", "/mAP@.50IOU")


def plot_comparison(
    comparison: Comparison, metrics: Sequence[str] = ()
) -> np.ndarray | None:
    """Returns an image `[h, w, 3]` with one panel per metric or loss.

    A run has the same color in all panels. Evaluations of a single step are dots.

    Args:
        comparison: The runs.
        metrics: Names of metrics and losses, at most 12 of which are drawn; empty: mAP,
            mAP at IoU 0.5, or the first metric, and the total losses.

    Returns:
        None if no run has any of the metrics.
    """
    names = list(metrics) or _main_metrics(comparison.metrics)
    panels = [_panel(name, comparison.runs) for name in names]
    drawn = [panel for panel in panels if panel is not None][:_MAX_PANELS]
    return np.concatenate(drawn) if drawn else None


def _main_metrics(names: Sequence[str]) -> list[str]:
    losses = [n for n in (TOTAL_LOSS, TRAIN + TOTAL_LOSS) if n in names]
    metrics = [n for n in names if not is_loss(n)]
    main = [n for n in metrics if n.endswith(_MAIN) and "By" not in n]
    return [*(main or metrics[:1]), *losses]


def _panel(name: str, runs: Sequence[RunRecord]) -> np.ndarray | None:
    curves = [np.array(run.curves.get(name, []), float).reshape(-1, 2) for run in runs]
    for curve in curves:
        curve[curve == -1] = np.nan  # It marks a metric with nothing to measure.
    points = np.concatenate(curves)
    values = points[np.isfinite(points[:, 1]), 1]
    if not values.size:
        return None
    lines = [
        Line(run.name, curve[:, 0], curve[:, 1], color_of(index))
        for index, (run, curve) in enumerate(zip(runs, curves, strict=True))
    ]
    return plot(
        lines,
        title=short_name(name),
        x_label="step",
        x_range=(0.0, max(1.0, float(points[:, 0].max()))),
        y_range=_y_range(values, is_loss(name)),
        size=_SIZE,
    )


def _y_range(values: np.ndarray, are_losses: bool) -> tuple[float, float] | None:
    """Returns a range from 0; None, that of the data, if a value is negative."""
    top = float(values.max())
    if are_losses:  # The first steps of a run may be a hundred times the rest.
        top = min(top, 3 * float(np.percentile(values, 98)))
    return (0.0, 1.04 * top) if top > 0 and values.min() >= 0 else None
