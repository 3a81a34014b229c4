"""What a run leaves to read: `metrics.jsonl`, a line an evaluation, `training.json`."""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from odapi.checkpoints.folder import write_text

_EVALUATIONS = "metrics.jsonl"
_SUMMARY = "training.json"


class History:
    """The evaluations of a run, in the order of their steps.

    Args:
        model_dir: Where the run lives.
        upto: Forgets evaluations after this step: training goes on from there.
    """

    def __init__(self, model_dir: pathlib.Path, upto: int):
        self._path = model_dir / _EVALUATIONS
        self.evaluations = [e for e in _read(self._path) if e["step"] <= upto]
        if self._path.exists():
            self._write()

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds an evaluation; one of the same step is replaced."""
        self.evaluations = [e for e in self.evaluations if e["step"] != step]
        self.evaluations.append({"step": step, "metrics": dict(metrics)})
        self._write()

    def at(self, step: int) -> dict[str, float] | None:
        """Returns the metrics of a step, or None if it was not evaluated."""
        found = [e["metrics"] for e in self.evaluations if e["step"] == step]
        return found[0] if found else None

    def best(self, metric: str, min_delta: float = 0.0) -> tuple[int, float, int]:
        """Returns step and value of the best metric, and evaluations since then.

        (0, -inf, n) where it was never measured in n evaluations.
        """
        step, value, since = 0, -math.inf, 0
        for evaluation in self.evaluations:
            got = evaluation["metrics"].get(metric, math.nan)
            if got > value + (min_delta if math.isfinite(value) else 0.0):
                step, value, since = evaluation["step"], got, 0
            else:
                since += 1
        return step, value, since

    def _write(self) -> None:
        lines = [json.dumps(_plain(e)) + "\n" for e in self.evaluations]
        write_text(self._path, "".join(lines))


def write_summary(model_dir: pathlib.Path, summary: Mapping[str, Any]) -> None:
    """Writes `training.json`; NaN becomes null, as JSON has none."""
    text = json.dumps(_plain(summary), indent=2)
    write_text(model_dir / _SUMMARY, text + "\n")


def read_summary(model_dir: pathlib.Path) -> dict[str, Any]:
    """Returns what `write_summary` wrote, or {} where there is none to read."""
    try:
        return json.loads((model_dir / _SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _read(path: pathlib.Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            evaluation = json.loads(line)
            metrics = evaluation["metrics"].items()
            values = {n: math.nan if v is None else float(v) for n, v in metrics}
            found.append({"step": int(evaluation["step"]), "metrics": values})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # A line that an editor broke says nothing.
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
