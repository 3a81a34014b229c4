"""Results of a study: table, best config, history plot."""

import csv
import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from odapi.config.load import Config, load_config, save_config
from odapi.draw.colors import INK
from odapi.draw.file import save_image
from odapi.draw.plots import Line, plot
from odapi.errors import OutputError
from odapi.files import atomic_open, unwritable
from odapi.report.metric_names import short_name
from odapi.tuning.search_space import Value, sampled_overrides
from odapi.tuning.settings import Settings
from odapi.tuning.study import BEST_STEP, FAILURE, SECONDS, Study

TABLE, PLOT, BEST_CONFIG = "trials.csv", "history.png", "best.config"

COMPLETE, PRUNED, FAILED, RUNNING = "complete", "pruned", "failed", "running"
_STATES = {"COMPLETE": COMPLETE, "PRUNED": PRUNED, "FAIL": FAILED, "RUNNING": RUNNING}
_BEST_COLOR, _PRUNED_COLOR = (0, 150, 255), (255, 165, 0)


@dataclasses.dataclass(frozen=True)
class TrialRow:
    """A trial of a study.

    Args:
        number: From 0.
        state: "complete", "pruned", "failed" or "running".
        value: Best value of the metric; of a pruned trial, the last one. None without.
        step: Step of the best value; None if unknown.
        seconds: Duration of its steps; None if unknown.
        values: Values of the parameters by name.
        failure: Why it failed; "" if it did not.
    """

    number: int
    state: str
    value: float | None
    step: int | None
    seconds: float | None
    values: dict[str, Value]
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """Result of a search.

    Args:
        folder: The study.
        metric, direction: What was optimized.
        reason: "done", "time limit" or "interrupted".
        trials: All trials of the study.
        best: The best complete trial; None without any.
        best_config: Config file with its values; None without any.
        importances: Importance of the parameters by name; sums to 1. Empty with fewer
            than 4 complete trials.
    """

    folder: pathlib.Path
    metric: str
    direction: str
    reason: str
    trials: tuple[TrialRow, ...]
    best: TrialRow | None
    best_config: pathlib.Path | None
    importances: dict[str, float]

    def __repr__(self) -> str:
        found = f"best {self.metric} {self.best.value:.4f}" if self.best else "none"
        return f"<StudyResult of {len(self.trials)} trials ({self.reason}): {found}>"


def report(
    folder: pathlib.Path, study: Study, settings: Settings, config: Config, reason: str
) -> StudyResult:
    """Writes `trials.csv`, `history.png` and `best.config`, and returns the result.

    Args:
        folder: Of the study.
        study: The study.
        settings: Of the study.
        config: That of the trials, without their values.
        reason: Why the search ended.

    Raises:
        OutputError: A file cannot be written.
    """
    rows = tuple(_row(trial, settings) for trial in study.trials())
    best, best_config = best_row(rows, settings), None
    if best is not None:
        best_config = folder / BEST_CONFIG
        overrides = sampled_overrides(settings.space, best.values)
        save_config(load_config(config, overrides), best_config, error=OutputError)
    _write_table(folder / TABLE, rows, settings)
    if best is not None:
        save_image(folder / PLOT, plot_history(rows, settings))
    return StudyResult(
        folder,
        settings.metric,
        settings.direction,
        reason,
        rows,
        best,
        best_config,
        study.importances(),
    )


def best_row(rows: tuple[TrialRow, ...], settings: Settings) -> TrialRow | None:
    """Returns the best complete trial; the first of several; None without any."""
    best, value = None, math.nan
    for row in rows:
        if row.state != COMPLETE or row.value is None:
            continue
        if best is None or settings.better(row.value, value):
            best, value = row, row.value
    return best


def plot_history(rows: tuple[TrialRow, ...], settings: Settings) -> np.ndarray:
    """Returns an image of the values over the trials, and of the best so far."""
    numbers = np.array([row.number for row in rows], float)
    lines = [
        Line(state, numbers, _values_of(rows, state), color, dots=True)
        for state, color in ((COMPLETE, INK), (PRUNED, _PRUNED_COLOR))
    ]
    best, best_so_far = math.nan, []
    for value in _values_of(rows, COMPLETE):
        if not math.isnan(value):
            best = value if math.isnan(best) or settings.better(value, best) else best
        best_so_far.append(best)
    lines.append(Line("best so far", numbers, np.array(best_so_far), _BEST_COLOR))
    return plot(
        lines,
        title=short_name(settings.metric),
        x_label="trial",
        x_range=(-0.5, max(len(rows), 2) - 0.5),
    )


def _values_of(rows: tuple[TrialRow, ...], state: str) -> list[float]:
    return [
        row.value if row.state == state and row.value is not None else math.nan
        for row in rows
    ]


def _row(trial: Any, settings: Settings) -> TrialRow:
    facts = trial.user_attrs
    return TrialRow(
        number=trial.number,
        state=_STATES.get(trial.state.name, trial.state.name.lower()),
        value=trial.value,
        step=facts.get(BEST_STEP),
        seconds=facts.get(SECONDS),
        values={p.name: trial.params[p.name] for p in settings.space
                if p.name in trial.params},
        failure=facts.get(FAILURE, ""),
    )  # fmt: skip


def _write_table(
    path: pathlib.Path, rows: tuple[TrialRow, ...], settings: Settings
) -> None:
    names = [parameter.name for parameter in settings.space]
    head = ["trial", "state", settings.metric, "step", "seconds", *names, "failure"]
    try:
        with atomic_open(path, "w") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(head)
            for row in rows:
                values = [row.values.get(name, "") for name in names]
                known = (row.value, row.step, row.seconds)
                numbers = ["" if n is None else n for n in known]
                writer.writerow([row.number, row.state, *numbers, *values, row.failure])
    except OSError as error:
        raise unwritable(path, error, OutputError) from error
