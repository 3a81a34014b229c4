"""All runs, or outputs of evaluations, below a folder, sorted and filtered."""

import dataclasses
import fnmatch
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from odapi.errors import DataError
from odapi.files import Pathlike
from odapi.report.metric_names import find_name
from odapi.report.run_record import (
    EVALUATED,
    RunRecord,
    is_evaluation,
    is_loss,
    is_run,
    read_run,
)

_UNKNOWN = math.inf  # Runs without a value are listed last.

_KEYS: dict[str, Callable[[RunRecord, str], Any]] = {
    "name": lambda run, metric: run.name,
    "state": lambda run, metric: (run.state, run.name),
    "step": lambda run, metric: -(run.step or 0),
    "metric": lambda run, metric: _metric_key(run, metric),
    "time": lambda run, metric: -(run.seconds or 0.0),
    "speed": lambda run, metric: -(run.images_per_second or 0.0),
    "date": lambda run, metric: -_changed(run.folder),
}
SORTS = tuple(_KEYS)


@dataclasses.dataclass(frozen=True)
class RunList:
    """Runs below a folder.

    Args:
        runs: The runs, sorted.
        metric: Name of the metric that they are compared by; "" means that of each.
    """

    runs: tuple[RunRecord, ...]
    metric: str = ""

    def metric_of(self, run: RunRecord) -> str:
        """Returns the name of the metric that the table shows of a run."""
        return self.metric or run.best_metric


def list_runs(
    folder: Pathlike,
    sort: str = "name",
    metric: str = "",
    states: Sequence[str] = (),
    name: str = "*",
) -> RunList:
    """Reads all runs below a folder, or its evaluations if it has no runs.

    Args:
        folder: A folder with runs or outputs of evaluations at any depth, or a run.
        sort: One of `SORTS`: best metric, longest, fastest and newest first.
        metric: Metric or loss, as in `odapi.report.metric_names`; "": the metric of
            each run that selects its best checkpoint.
        states: States of the runs to list; empty: all but "evaluation".
        name: Glob of their names.

    Raises:
        DataError: The folder does not exist, or no run has the metric.
    """
    place = pathlib.Path(folder)
    if not place.is_dir():
        what = "is a file" if place.exists() else "does not exist"
        hint = "name a folder that has runs of odapi train or outputs of odapi eval"
        raise DataError(str(place), what, hint)
    paths = [] if set(states) == {EVALUATED} else list(find_runs(place))
    if EVALUATED in states or not paths:
        paths += find_evaluations(place)
    runs = [read_run(path, run_name(path, place)) for path in paths]
    if metric and runs:
        metric = find_name(metric, (n for run in runs for n in run.curves))
    runs = [run for run in runs if not states or run.state in states]
    runs = [run for run in runs if fnmatch.fnmatchcase(run.name, name)]
    runs.sort(key=lambda run: _KEYS[sort](run, metric or run.best_metric))
    return RunList(tuple(runs), metric)


def find_runs(folder: Pathlike) -> Iterator[pathlib.Path]:
    """Yields the folders of all runs below a folder, in the order of their names.

    Hidden folders and links to folders are left out.
    """
    return _find(folder, is_run)


def find_evaluations(folder: Pathlike) -> Iterator[pathlib.Path]:
    """Yields the folders of all outputs of evaluations, like `find_runs`."""
    return _find(folder, is_evaluation)


def _find(
    folder: Pathlike, is_one: Callable[[pathlib.Path], bool]
) -> Iterator[pathlib.Path]:
    for root, children, _ in os.walk(folder):
        here = pathlib.Path(root)
        if is_one(here):
            children.clear()
            yield here
        children[:] = sorted(name for name in children if not name.startswith("."))


def run_name(path: pathlib.Path, folder: pathlib.Path) -> str:
    """Returns the name of a run below a folder."""
    return path.relative_to(folder).as_posix() if path != folder else path.name


def as_json(listed: RunList) -> list[dict[str, Any]]:
    """Returns the runs as JSON content."""
    return [run_as_json(run, [listed.metric_of(run)]) for run in listed.runs]


def run_as_json(run: RunRecord, metrics: Sequence[str]) -> dict[str, Any]:
    """Returns a run as JSON content, with the best and last values of metrics."""
    return {
        "name": run.name,
        "folder": str(run.folder),
        "state": run.state,
        "step": run.step,
        "num_steps": run.num_steps,
        "seconds": run.seconds,
        "images_per_second": run.images_per_second,
        "model": run.model,
        "data": run.data,
        "metrics": {
            name: {"best": _point(run.best(name)), "last": _point(run.last(name))}
            for name in metrics
        },
        "problems": list(run.problems),
    }


def _point(point: tuple[int, float] | None) -> dict[str, Any] | None:
    return {"step": point[0], "value": point[1]} if point else None


def _metric_key(run: RunRecord, metric: str) -> float:
    best = run.best(metric)
    if best is None:
        return _UNKNOWN
    return best[1] if is_loss(metric) else -best[1]


def _changed(folder: pathlib.Path) -> float:
    """Returns when the newest file of a run was written, in seconds."""
    names = ("training.json", "metrics.jsonl", "losses.jsonl", "")
    times = [(folder / n).stat().st_mtime for n in names if (folder / n).exists()]
    return max(times, default=0.0)
