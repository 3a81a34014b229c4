"""Latency of models against their mAP, as one image."""

import numpy as np

from odapi.draw.plots import Line, plot
from odapi.timing.benchmark import Benchmark
from odapi.wording import counted


def plot_latency(result: Benchmark) -> np.ndarray:
    """Returns a plot `[h, w, 3]`: one dot per model, at one image per call, with most
    threads. Without mAP, the models are numbered from the top.
    """
    most = max(row.threads for row in result.timings)
    smallest = min(row.batch_size for row in result.timings)
    latency = {
        row.model: row.p50_ms
        for row in result.timings
        if (row.threads, row.batch_size) == (most, smallest)
    }
    measured = all(facts.map is not None for facts in result.models)
    number = len(result.models)
    heights = [
        (facts.map or 0.0) if measured else float(number - i)
        for i, facts in enumerate(result.models)
    ]
    lines = [
        Line(_short_name(facts.model), [latency[facts.model]], [height], dots=True)
        for facts, height in zip(result.models, heights, strict=True)
    ]
    low, high = min(heights), max(heights)
    margin = 0.1 * (high - low) or 0.1
    return plot(
        lines,
        title=f"{counted(smallest, 'image')} per call, {counted(most, 'thread')}",
        x_label="milliseconds (median)",
        y_label="mAP" if measured else "model",
        x_range=(0.0, 1.1 * max(latency.values())),
        y_range=(low - margin, high + margin),
    )


def _short_name(model: str) -> str:
    return "/".join(model.rstrip("/").split("/")[-2:])
