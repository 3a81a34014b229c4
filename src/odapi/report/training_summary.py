"""The summary of a run: `training.json`, and the lines printed at its end."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any

from odapi.errors import CheckpointError
from odapi.files import read_json_object, write_json
from odapi.progress import duration
from odapi.report.history import nan_to_null

_FILE = "training.json"
# From this share of waiting on, the summary says how to read data faster.
_SLOW_DATA = 0.3


def write_summary(model_dir: pathlib.Path, summary: Mapping[str, Any]) -> None:
    """Writes `training.json`; NaN becomes null."""
    write_json(
        model_dir / _FILE, nan_to_null(summary), durable=True, error=CheckpointError
    )


def read_summary(model_dir: pathlib.Path) -> dict[str, Any]:
    """Returns the content of `training.json`, or {} if it cannot be read."""
    return read_json_object(model_dir / _FILE)


def seconds_before(model_dir: pathlib.Path) -> float:
    """Returns the training time of the runs so far; 0 if it cannot be read."""
    seconds = read_summary(model_dir).get("seconds")
    return seconds if isinstance(seconds, float) and math.isfinite(seconds) else 0.0


def summary_lines(model_dir: pathlib.Path) -> list[str]:
    """Returns the summary of a finished run as lines of text."""
    summary = read_summary(model_dir)
    if not summary:
        return []
    lines = [_headline(summary) + _speed(summary)]
    if summary["waiting_for_data"] > _SLOW_DATA:
        lines.append(
            "Training often waits for data: processes instead of threads "
            "(options.data_loading.processes) or smaller image files help."
        )
    best = summary["best"]
    if best and best["value"] is not None and math.isfinite(best["value"]):
        lines.append(
            f"Best {best['metric']}: {best['value']:.4f} at step {best['step']}"
        )
    if summary.get("curves"):
        lines.append(f"Curves: {model_dir / summary['curves']}")
    lines.append(f"Next: odapi eval {model_dir}")
    lines.append(f"      odapi export {model_dir}")
    lines.append(f"      tensorboard --logdir {model_dir}")
    return lines


def _headline(summary: Mapping[str, Any]) -> str:
    step, reason, best = summary["step"], summary["reason"], summary["best"]
    if reason == "early stopping" and best:
        metric = best["metric"].rpartition("/")[2]
        return (
            f"Early stopping at step {step}: {metric} did not improve in "
            f"{summary['patience']} evaluations (best {best['value']:.4g} at step "
            f"{best['step']})"
        )
    return {
        "done": f"Finished after step {step}",
        "early stopping": f"Early stopping at step {step}",
        "interrupted": f"Interrupted after step {step}; run the same command to resume",
        "callback": f"Stopped by a callback after step {step}",
    }[reason]


def _speed(summary: Mapping[str, Any]) -> str:
    text = f", {duration(summary['last_run_seconds'])}"
    if summary["images_per_second"]:
        text += (
            f", {summary['images_per_second']:.1f} images/s, "
            f"{summary['waiting_for_data']:.0%} of the time waiting for data"
        )
    return text
