"""A training run, or the output of an evaluation, read from its files.

record = read_run("runs/first")
record.state, record.step, record.best("DetectionBoxes_Precision/mAP")
"""

import dataclasses
import math
import pathlib
from typing import Any

from odapi.checkpoints import folder as folders
from odapi.checkpoints.run_lock import is_locked
from odapi.config.load import Config, load_config, options
from odapi.errors import DataError, OdapiError
from odapi.files import Pathlike, read_json_object
from odapi.outputs.folder import find_marker
from odapi.outputs.kinds import EVALUATION, RUN
from odapi.report.config_summary import data_name, eval_data_name, model_name
from odapi.report.history import History
from odapi.report.metric_names import TRAIN
from odapi.report.training_summary import DIVERGED, read_summary

# States of a run.
RUNNING, FINISHED, INTERRUPTED = "running", "finished", "interrupted"
EARLY_STOPPED, STOPPED, EVALUATED = "early stopped", "stopped", "evaluation"
TIME_LIMIT = "time limit"
STATES = (
    RUNNING, FINISHED, INTERRUPTED, TIME_LIMIT, EARLY_STOPPED, DIVERGED, STOPPED,
    EVALUATED,
)  # fmt: skip

_STATE_OF_REASON = {
    "done": FINISHED,
    "interrupted": INTERRUPTED,
    "early stopping": EARLY_STOPPED,
    "time limit": TIME_LIMIT,
    "callback": STOPPED,
}
_ANY_STEP = 1 << 62
_METRICS_FILE, _FACTS = "metrics.json", "training_state.json"


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """A run as its files describe it.

    Args:
        name: For tables and legends.
        folder: Folder of the run, or the file or folder of an evaluation.
        state: One of `STATES`, or another reason why the training ended.
        step: Last step that is known; None for an evaluation of unknown step.
        num_steps: Steps that the config asks for; None if unknown.
        curves: Steps and values by name: metrics and losses of evaluations, and losses
            of the training under names with "train/".
        best_metric: Name of the metric that selects the best checkpoint.
        seconds: Duration of all steps, without evaluation; None if unknown. That of an
            evaluation includes the compilation.
        images_per_second: Speed of the training or of the evaluation; None if unknown.
        model, data: Short names; "" if unknown.
        config: Of the last checkpoint, or of the evaluation; None if it cannot be read.
        num_parameters: Number of weights that an evaluation has written; None if
            unknown.
        problems: Damaged lines and files, one text per file.
    """

    name: str
    folder: pathlib.Path
    state: str
    step: int | None
    num_steps: int | None = None
    curves: dict[str, list[tuple[int, float]]] = dataclasses.field(default_factory=dict)
    best_metric: str = "DetectionBoxes_Precision/mAP"
    seconds: float | None = None
    images_per_second: float | None = None
    model: str = ""
    data: str = ""
    config: Config | None = None
    num_parameters: int | None = None
    problems: tuple[str, ...] = ()

    def best(self, name: str) -> tuple[int, float] | None:
        """Returns step and value of the best value of a metric; None without any.

        Losses are better if they are lower, all else if it is higher.
        """
        sign = -1 if is_loss(name) else 1
        values = self._values(name)
        return max(values, key=lambda point: sign * point[1], default=None)

    def last(self, name: str) -> tuple[int, float] | None:
        """Returns step and value of the last value of a metric; None without any."""
        return next(reversed(self._values(name)), None)

    def _values(self, name: str) -> list[tuple[int, float]]:
        # -1 marks a metric with nothing to measure.
        return [
            point
            for point in self.curves.get(name, ())
            if math.isfinite(point[1]) and point[1] != -1
        ]


def is_loss(name: str) -> bool:
    """Returns whether lower values of a metric are better.

    >>> is_loss("Loss/total_loss"), is_loss("DetectionBoxes_Precision/mAP")
    (True, False)
    """
    return name.removeprefix(TRAIN).startswith("Loss/")


def is_run(folder: pathlib.Path) -> bool:
    """Returns whether a folder is that of a training run."""
    marker = find_marker(folder)
    if marker is not None:
        return marker.kind == RUN.name
    if is_locked(folder):  # It has just begun.
        return True
    if not any((folder / name).is_file() for name in ("metrics.jsonl", "losses.jsonl")):
        return False
    history = History(folder, _ANY_STEP)  # A copy without hidden files.
    return bool(history.evaluations or history.losses)


def is_evaluation(folder: pathlib.Path) -> bool:
    """Returns whether a folder is the complete output of an evaluation."""
    marker = find_marker(folder)
    named = marker is not None and marker.kind == EVALUATION.name
    return named and (folder / _METRICS_FILE).is_file()


def read_run(path: Pathlike, name: str = "") -> RunRecord:
    """Reads a run, or the output of an evaluation.

    Args:
        path: Folder of a run; folder that `odapi eval --output` wrote, or its
            `metrics.json`; or a file with what `odapi eval --json` printed.
        name: Name of the record; default: the path as given.

    Raises:
        DataError: The path is neither.
    """
    place, name = pathlib.Path(path), name or str(path)
    if place.is_dir() and is_run(place):
        return _read_run(place, name)
    file = place / _METRICS_FILE if place.is_dir() else place
    content = read_json_object(file) if file.is_file() else {}
    metrics = content.get("metrics")
    if isinstance(metrics, dict) and _is_evaluation(place, content):
        return _evaluation(place, name, content, metrics)
    raise _not_a_run(place)


def _is_evaluation(place: pathlib.Path, content: dict[str, Any]) -> bool:
    marker = find_marker(place) if place.is_dir() else None
    return "num_images" in content or bool(marker and marker.kind == EVALUATION.name)


def _evaluation(
    place: pathlib.Path, name: str, content: dict[str, Any], metrics: dict[str, Any]
) -> RunRecord:
    step = content.get("step")
    step = step if type(step) is int else None
    values: dict[str, Any] = dict(metrics)
    for row in content.get("categories") or ():
        if isinstance(row, dict) and isinstance(row.get("ap"), float):
            name_of_row = f"DetectionBoxes_PerformanceByCategory/mAP/{row.get('name')}"
            values.setdefault(name_of_row, row["ap"])
    curves = {n: [(step or 0, float(v))] for n, v in values.items() if _is_number(v)}
    problems: list[str] = []
    folder = place if place.is_dir() else place.parent
    config = None
    if place.is_dir() or place.name == _METRICS_FILE:  # Not a copy of its output.
        config = _read_config(folder, None, problems)
    seconds, images = content.get("seconds"), content.get("num_images")
    seconds = float(seconds) if seconds and _is_number(seconds) else None
    speed = float(images or 0) / seconds if seconds and _is_number(images) else None
    weights = content.get("parameters")
    return RunRecord(
        name,
        place,
        EVALUATED,
        step,
        curves=curves,
        seconds=seconds,
        images_per_second=speed,
        model=model_name(config) if config else "",
        data=eval_data_name(config) if config else "",
        config=config,
        num_parameters=weights if type(weights) is int else None,
        problems=tuple(problems),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read_run(folder: pathlib.Path, name: str) -> RunRecord:
    history = History(folder, _ANY_STEP)
    checkpoint = folders.latest(folder)
    problems = list(history.problems)
    config = _read_config(folder, checkpoint, problems)
    summary, curves = read_summary(folder), _curves(history)
    saved = (folders.step_of(checkpoint) or 0) if checkpoint else 0
    state = _state(folder, summary, saved)
    facts = read_json_object(checkpoint / _FACTS) if checkpoint else {}
    seconds, speed = _speed(summary, facts, config)
    return RunRecord(
        name,
        folder,
        state,
        step=_step(state, summary, saved, history),
        num_steps=(config.train_config.num_steps or None) if config else None,
        curves=curves,
        best_metric=options(config or Config()).evaluation.best_metric,
        seconds=seconds,
        images_per_second=speed,
        model=model_name(config) if config else "",
        data=data_name(config) if config else "",
        config=config,
        problems=tuple(problems),
    )


def _read_config(
    folder: pathlib.Path, checkpoint: pathlib.Path | None, problems: list[str]
) -> Config | None:
    """Returns the config beside the last checkpoint, else that of the folder."""
    place = checkpoint or folder
    if not (place / folders.CONFIG).is_file():
        return None
    try:
        return load_config(place)
    except OdapiError as error:
        problems.append(str(error))
        return None


def _curves(history: History) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for prefix, key, entries in (
        ("", "metrics", history.evaluations),
        (TRAIN, "losses", history.losses),
    ):
        for entry in sorted(entries, key=lambda entry: entry["step"]):
            for name, value in entry[key].items():
                curves.setdefault(prefix + name, []).append((entry["step"], value))
    return curves


def _state(folder: pathlib.Path, summary: dict[str, Any], saved: int) -> str:
    if is_locked(folder):
        return RUNNING
    step, reason = summary.get("step"), summary.get("reason")
    # A kill leaves the summary of an earlier call, or none.
    if type(step) is not int or not isinstance(reason, str) or step < saved:
        return INTERRUPTED
    return _STATE_OF_REASON.get(reason, reason)


def _step(state: str, summary: dict[str, Any], saved: int, history: History) -> int:
    """Returns the last step: of a running training, that of its last record."""
    if state not in (RUNNING, INTERRUPTED) and type(summary.get("step")) is int:
        return summary["step"]
    if state != RUNNING:
        return saved
    entries = [*history.evaluations[-1:], *history.losses[-1:]]
    return max([saved, *(entry["step"] for entry in entries)])


def _speed(
    summary: dict[str, Any], facts: dict[str, Any], config: Config | None
) -> tuple[float | None, float | None]:
    """Returns the duration of the steps, and the speed in images per second."""
    seconds = summary.get("seconds") or facts.get("seconds")
    speed, steps = summary.get("images_per_second"), facts.get("step")
    seconds = float(seconds) if seconds and _is_number(seconds) else None
    if speed and _is_number(speed):
        return seconds, float(speed)
    if not (seconds and config and type(steps) is int and steps):
        return seconds, None
    return seconds, steps * config.train_config.batch_size / seconds


def _not_a_run(place: pathlib.Path) -> DataError:
    if not place.exists():
        return DataError(str(place), "does not exist")
    run = next((p for p in place.absolute().parents if is_run(p)), None)
    if run is not None:
        hint = f"it is part of a run: name {run}"
    elif place.is_dir() and any(is_run(p) for p in place.iterdir() if p.is_dir()):
        hint = f"name the runs in it; odapi runs list {place} lists them"
    else:
        hint = "name the --model-dir of `odapi train`, or the --output of `odapi eval`"
    return DataError(
        str(place), "is neither a training run nor the output of an evaluation", hint
    )
