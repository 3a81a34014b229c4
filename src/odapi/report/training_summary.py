"""The summary of a run: `training.json`, and the lines printed at its end."""

import importlib.util
import math
import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

from odapi.errors import CheckpointError
from odapi.files import read_json_object, write_json
from odapi.progress import duration
from odapi.report.history import nan_to_null

DIVERGED = "diverged"  # Reason of a run that a `DivergedError` ended.

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
    return lines + next_lines(model_dir, summary)


def next_lines(model_dir: pathlib.Path, summary: Mapping[str, Any]) -> list[str]:
    """Returns the commands after a training, only those that can run here.

    Args:
        model_dir: Folder of the run.
        summary: Its summary.
    """
    run = shlex.quote(str(model_dir))
    commands = [f"odapi predict {run} IMAGES --output found"]
    if not summary.get("metrics"):  # Otherwise, it has been evaluated already.
        commands.insert(0, f"odapi eval {run} --eval-data SPEC")
    if importlib.util.find_spec("tensorflow"):
        commands.append(f"odapi export {run} exported")
    if importlib.util.find_spec("tensorboard") and _has_events(model_dir):
        commands.append(f"tensorboard --logdir {run}")
    heads = ["Next: ", *["      "] * len(commands)]
    return [head + command for head, command in zip(heads, commands, strict=False)]


def _has_events(model_dir: pathlib.Path) -> bool:
    return any(model_dir.glob("*/events.out.tfevents.*"))


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
        "time limit": f"Time limit reached after step {step}; run the same command to "
        "resume",
        "callback": f"Stopped by a callback after step {step}",
        DIVERGED: f"Diverged at step {step}",
    }[reason]


def _speed(summary: Mapping[str, Any]) -> str:
    text = f", {duration(summary['last_run_seconds'])}"
    if summary["images_per_second"]:
        text += (
            f", {summary['images_per_second']:.1f} images/s, "
            f"{summary['waiting_for_data']:.0%} of the time waiting for data"
        )
    return text
