"""The history of a run: `metrics.jsonl` and `losses.jsonl`.

`metrics.jsonl` has one line per evaluation, `losses.jsonl` one every few steps.
"""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

from odapi.errors import CheckpointError
from odapi.files import write_text
from odapi.wording import counted

LEARNING_RATE = "learning_rate"

_EVALUATIONS, _LOSSES = "metrics.jsonl", "losses.jsonl"


class History:
    """The evaluations and the losses of a run, in the order of their steps.

    Args:
        model_dir: Folder of the run.
        last_step: Entries after this step are left out: the run is resumed there.
            The first new entry removes them from the files.
        writes: False keeps new entries in memory only.

    Damaged lines of the files are left out; `problems` has a line of text per file
    that says how many.
    """

    def __init__(self, model_dir: pathlib.Path, last_step: int, writes: bool = True):
        self._writes = writes
        self._evaluations = model_dir / _EVALUATIONS
        self._losses = model_dir / _LOSSES
        self.problems: list[str] = []
        self.evaluations = self._read(self._evaluations, "metrics", last_step)
        self.losses = self._read(self._losses, "losses", last_step)
        self._is_saved = _has_text(self._evaluations, self.evaluations)
        self._are_losses_saved = _has_text(self._losses, self.losses)

    def _read(
        self, path: pathlib.Path, key: str, last_step: int
    ) -> list[dict[str, Any]]:
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            return []
        entries = [_entry(line, key) for line in lines if line.strip()]
        whole = [entry for entry in entries if entry is not None]
        damaged = len(entries) - len(whole)
        if damaged:
            self.problems.append(
                f"{path}: skipped {counted(damaged, 'damaged line')} of {len(entries)}"
            )
        return [entry for entry in whole if entry["step"] <= last_step]

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds an evaluation; one of the same step is replaced.

        Raises:
            CheckpointError: The file cannot be written; the next call, or `flush`,
                writes this evaluation too.
        """
        self.evaluations = [e for e in self.evaluations if e["step"] != step]
        self.evaluations.append({"step": step, "metrics": dict(metrics)})
        self._is_saved = False
        self.flush()

    def flush(self) -> None:
        """Writes what could not be written yet.

        Raises:
            CheckpointError: A file cannot be written.
        """
        if not self._writes:
            return
        if not self._is_saved:
            _write(self._evaluations, self.evaluations)
            self._is_saved = True
        if not self._are_losses_saved:  # The file may end within a line.
            _write(self._losses, self.losses)
            self._are_losses_saved = True

    def add_losses(self, step: int, losses: Mapping[str, float], rate: float) -> None:
        """Adds the mean losses of the last steps, and the learning rate.

        Lines that cannot be written now are written with a later one: they must not
        end the run.
        """
        self.losses.append({"step": step, "losses": {**losses, LEARNING_RATE: rate}})
        try:
            if self._are_losses_saved and self._writes:
                with self._losses.open("a", encoding="utf-8") as file:
                    file.write(_line(self.losses[-1]))
            else:
                self.flush()
        except (OSError, CheckpointError):
            self._are_losses_saved = False

    def at(self, step: int) -> dict[str, float] | None:
        """Returns the metrics of a step, or None if it was not evaluated."""
        found = [e["metrics"] for e in self.evaluations if e["step"] == step]
        return found[0] if found else None

    def best(self, metric: str, min_delta: float = 0.0) -> tuple[int, float, int]:
        """Returns step and value of the best metric, and the evaluations after it.

        Without any value in n evaluations, returns (0, -inf, n).

        Args:
            metric: Name of the metric; higher is better.
            min_delta: Smallest increase that counts as better.
        """
        step, value, since = 0, -math.inf, 0
        for evaluation in self.evaluations:
            got = evaluation["metrics"].get(metric, math.nan)
            if got > value + (min_delta if math.isfinite(value) else 0.0):
                step, value, since = evaluation["step"], got, 0
            else:
                since += 1
        return step, value, since


def nan_to_null(value: Any) -> Any:
    """Returns the value with None for NaN and infinity, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {k: nan_to_null(v) for k, v in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _entry(line: bytes, key: str) -> dict[str, Any] | None:
    """Returns the entry in a line; None if an editor or a crash has damaged it."""
    try:
        entry = json.loads(line)
        values = {name: _number(value) for name, value in entry[key].items()}
        step = entry["step"]
    except (
        ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
        RecursionError,
    ):  # fmt: skip
        return None
    if type(step) is not int or not 0 <= step < 1 << 63:
        return None
    return {"step": step, key: values}


def _number(value: Any) -> float:
    """Returns a number of a file, in which NaN and infinity are null."""
    if value is None:
        return math.nan
    if type(value) not in (int, float) or math.isinf(value):
        raise TypeError(f"not a finite number: {value!r}")
    return float(value)


def _has_text(path: pathlib.Path, entries: list[dict[str, Any]]) -> bool:
    """Returns whether a file has these entries and no others, or is missing."""
    try:
        return path.read_bytes() == _text(entries).encode()
    except OSError:
        return not path.exists()


def _text(entries: list[dict[str, Any]]) -> str:
    return "".join(map(_line, entries))


def _write(path: pathlib.Path, entries: list[dict[str, Any]]) -> None:
    write_text(path, _text(entries), durable=True, error=CheckpointError)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(nan_to_null(entry)) + "\n"
