"""What a run leaves to read: `metrics.jsonl`, `losses.jsonl`, `training.json`.

The first has a line an evaluation, the second a line every few steps.
"""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from odapi.errors import CheckpointError
from odapi.files import read_json_object, write_json, write_text

_EVALUATIONS, _LOSSES = "metrics.jsonl", "losses.jsonl"
_SUMMARY = "training.json"
_RATE = "learning_rate"


class History:
    """The evaluations and the losses of a run, in the order of their steps.

    Args:
        model_dir: Where the run lives.
        upto: Forgets what came after this step: training goes on from there.
    """

    def __init__(self, model_dir: pathlib.Path, upto: int):
        self._evaluations = model_dir / _EVALUATIONS
        self._losses = model_dir / _LOSSES
        self.evaluations = _read(self._evaluations, "metrics", upto)
        self.losses = _read(self._losses, "losses", upto)
        for path, lines in (
            (self._evaluations, self.evaluations),
            (self._losses, self.losses),
        ):
            if path.exists():
                _write(path, lines)

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds an evaluation; one of the same step is replaced."""
        self.evaluations = [e for e in self.evaluations if e["step"] != step]
        self.evaluations.append({"step": step, "metrics": dict(metrics)})
        _write(self._evaluations, self.evaluations)

    def add_losses(self, step: int, losses: Mapping[str, float], rate: float) -> None:
        """Adds the mean losses of the last steps, with the learning rate.

        A curve is not worth a run: what cannot be written is left out.
        """
        self.losses.append({"step": step, "losses": {**losses, _RATE: rate}})
        try:
            with self._losses.open("a", encoding="utf-8") as file:
                file.write(_line(self.losses[-1]))
        except OSError:
            return

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


def write_summary(model_dir: pathlib.Path, summary: Mapping[str, Any]) -> None:
    """Writes `training.json`; NaN becomes null, as JSON has none."""
    write_json(
        model_dir / _SUMMARY, _plain(summary), durable=True, error=CheckpointError
    )


def read_summary(model_dir: pathlib.Path) -> dict[str, Any]:
    """Returns what `write_summary` wrote, or {} where there is none to read."""
    return read_json_object(model_dir / _SUMMARY)


def _read(path: pathlib.Path, what: str, upto: int) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[dict[str, Any]] = []
    for line in lines:
        try:
            entry = json.loads(line)
            numbers = entry[what].items()
            values = {n: math.nan if v is None else float(v) for n, v in numbers}
            step = int(entry["step"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # A line that an editor broke says nothing.
        if step <= upto:
            found.append({"step": step, what: values})
    return found


def _write(path: pathlib.Path, entries: list[dict[str, Any]]) -> None:
    text = "".join(map(_line, entries))
    write_text(path, text, durable=True, error=CheckpointError)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(_plain(entry)) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
