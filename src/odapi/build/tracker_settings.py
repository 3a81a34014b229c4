"""Settings of experiment trackers, and a config as trackers record it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from odapi.config import parse
from odapi.config.diff import leaves
from odapi.config.load import Config, options
from odapi.config.rules.trackers import SERVICES
from odapi.errors import unknown_choice

Parameter = str | int | float | bool


@dataclasses.dataclass(frozen=True)
class TrackerSettings:
    """Settings of the trackers of a run.

    Args:
        name: Of the experiment; "": the name of the folder of the run.
        tags: Of the experiment.
        has_tensorboard: Whether event files are written.
        has_checkpoints: Whether checkpoints are uploaded.
        close_seconds: Longest wait for each tracker at the end.
        services: Arguments of the trackers that are turned on, by their names in
            `options.trackers`.
    """

    name: str
    tags: tuple[str, ...]
    has_tensorboard: bool
    has_checkpoints: bool
    close_seconds: float
    services: Mapping[str, Mapping[str, Any]]


def tracker_settings(config: Config) -> TrackerSettings:
    """Returns the settings in the `options.trackers` of a config."""
    ours = options(config).trackers
    return TrackerSettings(
        name=ours.name,
        tags=tuple(ours.tags),
        has_tensorboard=ours.tensorboard.enabled,
        has_checkpoints=ours.checkpoints,
        close_seconds=ours.close_seconds,
        services={
            name: _ARGUMENTS[name](getattr(ours, name))
            for name in SERVICES
            if ours.HasField(name)
        },
    )


def turn_on(config: Config, trackers: Iterable[Any]) -> list[Any]:
    """Turns trackers on that are given by name, and returns the others.

    Args:
        config: Gets an empty block for each name that it has no block of.
        trackers: Names and trackers of the user.

    Raises:
        ConfigError: A name is unknown.
    """
    others = []
    for tracker in trackers:
        if not isinstance(tracker, str):
            others.append(tracker)
        elif tracker not in SERVICES:
            raise unknown_choice("tracker", tracker, SERVICES)
        else:
            getattr(options(config).trackers, tracker).SetInParent()
    return others


def only_asked_for(
    config: Config, trackers: Sequence[Any], overrides: Sequence[str]
) -> list[Any]:
    """Leaves those trackers on that a call names, or sets a field of.

    A run's config turns on the trackers of its training. An evaluation of the run is
    another experiment, which must be asked for.

    Returns:
        The trackers that are given as objects.

    Raises:
        ConfigError: A name is unknown.
    """
    for name in SERVICES:
        if name not in trackers and not any(
            is_about_trackers(override, name) for override in overrides
        ):
            options(config).trackers.ClearField(name)
    return turn_on(config, trackers)


def is_about_trackers(override: str, name: str = "") -> bool:
    """Returns whether an override sets a field of trackers, or of one of them."""
    path = override.strip().replace("[odapi.options]", "options", 1)
    return path.startswith(f"options.trackers.{name}")


def config_text(config: Config) -> str:
    """Returns a config as canonical text."""
    return parse.to_text(config)


def parameters_of(config: Config) -> dict[str, Parameter]:
    """Returns the values of a config by their paths.

    >>> from odapi.config.load import load_config
    >>> parameters_of(load_config("train_config { batch_size: 8 }"))
    {'train_config.batch_size': 8}
    """
    return {path: _value(leaf.text) for path, leaf in leaves(config).items()}


def _value(text: str) -> Parameter:
    """Returns the value that the text of a field stands for."""
    if text in ("true", "false"):
        return text == "true"
    if text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _clearml(settings: Any) -> dict[str, Any]:
    return {
        "project": settings.project,
        "is_offline": _is_offline(settings),
        "output_uri": settings.output_uri or None,
    }


def _mlflow(settings: Any) -> dict[str, Any]:
    return {
        "name": settings.experiment,
        "tracking_uri": settings.tracking_uri or None,
    }


def _wandb(settings: Any) -> dict[str, Any]:
    return {
        "project": settings.project,
        "entity": settings.entity or None,
        "group": settings.group or None,
        "is_offline": _is_offline(settings),
    }


def _is_offline(settings: Any) -> bool | None:
    """Returns the mode; None: as the environment of the package says."""
    return bool(settings.mode) if settings.HasField("mode") else None


_ARGUMENTS = {"clearml": _clearml, "mlflow": _mlflow, "wandb": _wandb}
