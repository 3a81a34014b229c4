"""Experiment trackers that a config or a command asks for, each behind its queue."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from odapi.build.tracker_settings import (
    TrackerSettings,
    config_text,
    parameters_of,
)
from odapi.errors import ConfigError
from odapi.trackers import clearml, mlflow, wandb
from odapi.trackers.experiment import Experiment
from odapi.trackers.queued import QueuedTracker
from odapi.trackers.run_facts import package_list, run_facts
from odapi.trackers.tracker import METHODS, CombinedTracker, Parameter, Tracker

_NONE: Mapping[str, Parameter] = {}
_INNER_FOLDERS = ("checkpoint", "saved_model")  # Of an import or an export.
_INTERRUPTED_SECONDS = 5.0  # Ctrl-C before the first step ends the command.

Warn = Callable[[str], None]


class _Service(NamedTuple):
    """A tracker of the config: its name, and how it is checked and made."""

    title: str
    check: Callable[[], None]
    make: Callable[..., Tracker]


_SERVICES = {
    "clearml": _Service(clearml.NAME, clearml.check_clearml, clearml.ClearML),
    "mlflow": _Service(mlflow.NAME, mlflow.check_mlflow, mlflow.MLflow),
    "wandb": _Service(wandb.NAME, wandb.check_wandb, wandb.Wandb),
}


def service_trackers(
    settings: TrackerSettings, experiment: Experiment, warn: Warn
) -> list[QueuedTracker]:
    """Returns the trackers of services that are turned on; they start later.

    Raises:
        MissingPackageError: The package of a tracker is not installed.
    """
    for name in settings.services:
        _SERVICES[name].check()
    return [_queued(name, settings, experiment, warn) for name in settings.services]


def _queued(
    name: str, settings: TrackerSettings, experiment: Experiment, warn: Warn
) -> QueuedTracker:
    service, arguments = _SERVICES[name], settings.services[name]

    def make() -> Tracker:
        noted = dataclasses.replace(experiment, note=queue.note)
        return service.make(noted, **arguments)

    queue = QueuedTracker(make, warn, service.title, settings.close_seconds)
    return queue


def user_trackers(
    settings: TrackerSettings, trackers: Sequence[Any], warn: Warn
) -> list[QueuedTracker]:
    """Returns the trackers of the user behind queues.

    Raises:
        ConfigError: A tracker lacks a method.
    """
    return [
        _wrapped(index, tracker, warn, settings.close_seconds)
        for index, tracker in enumerate(trackers)
    ]


def _wrapped(
    index: int, tracker: Any, warn: Warn, close_seconds: float
) -> QueuedTracker:
    name = f"trackers[{index}] ({type(tracker).__name__})"
    missing = [m for m in METHODS if not callable(getattr(tracker, m, None))]
    if missing:
        raise ConfigError(
            name,
            f"has no method {missing[0]}",
            hint=f"a tracker has the methods {', '.join(METHODS)}; see "
            "odapi.trackers.tracker.Tracker",
        )
    # Closed also if nothing was recorded: it may hold a file.
    return QueuedTracker(lambda: tracker, warn, name, close_seconds, is_lazy=False)


def close_all(
    queues: Sequence[QueuedTracker], error: BaseException | None = None
) -> None:
    """Closes trackers, each within its time limit, and at the same time.

    Args:
        queues: The trackers.
        error: The error that ended the run; after an interrupt, the limit is short.
    """
    is_interrupt = isinstance(error, KeyboardInterrupt)
    for queue in queues:
        if error is not None and not is_interrupt:
            queue.failed(f"{type(error).__name__}: {error}")
        queue.begin_closing()
    for queue in queues:
        queue.close(_INTERRUPTED_SECONDS if is_interrupt else None)


def experiment_of(
    settings: TrackerSettings, default_name: str, **fields: Any
) -> Experiment:
    """Returns the experiment of a run.

    Args:
        settings: Have name and tags.
        default_name: Where there is no name.
        fields: See `Experiment`.
    """
    name = settings.name or default_name or "odapi"
    return Experiment(name, tags=settings.tags, **fields)


def log_start(
    tracker: CombinedTracker, config: Any, more: Mapping[str, Parameter] = _NONE
) -> None:
    """Records the config, and the facts by which the run can be repeated.

    Args:
        tracker: The trackers.
        config: The pipeline config of the run.
        more: Further parameters.
    """
    facts = run_facts()
    tracker.parameters({**parameters_of(config), **facts, **more})
    tracker.text("config", config_text(config))
    lines = [f"{name}: {value}" for name, value in {**facts, **more}.items()]
    tracker.text("run", "\n".join(lines))
    tracker.text("packages", package_list())


def name_of_model(path: str) -> str:
    """Returns a name for a model by its folder: that of its run, import or export.

    >>> name_of_model("runs/d0/checkpoints/step-00000800"), name_of_model("runs/d0/")
    ('d0', 'd0')
    >>> name_of_model("zoo/d0/checkpoint"), name_of_model("exported/d0/saved_model")
    ('d0', 'd0')
    """
    if not path:
        return ""
    parts = pathlib.Path(os.path.abspath(path)).parts
    if "checkpoints" in parts[1:]:
        parts = parts[: parts.index("checkpoints")]
    while len(parts) > 2 and parts[-1] in _INNER_FOLDERS:
        parts = parts[:-1]
    return parts[-1] if len(parts) > 1 else ""
