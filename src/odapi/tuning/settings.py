"""Settings of a study, which every process that works on it shares."""

import dataclasses
import pathlib
from typing import Any

from odapi.config.diff import diff
from odapi.config.load import Config, load_config, save_config
from odapi.errors import ConfigError, OutputError, unknown_choice
from odapi.files import read_json_object, write_json
from odapi.tuning.search_space import Parameter, parse_space

MAXIMIZE, MINIMIZE = "maximize", "minimize"
TPE, RANDOM = "tpe", "random"
MEDIAN, HYPERBAND, NONE = "median", "hyperband", "none"
JOURNAL, SQLITE = "journal", "sqlite"
_CHOICES = {
    "direction": (MAXIMIZE, MINIMIZE),
    "sampler": (TPE, RANDOM),
    "pruner": (MEDIAN, HYPERBAND, NONE),
    "storage": (JOURNAL, SQLITE),
}

FILE, BASE_CONFIG = "study.json", "base.config"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Searched parameters, metric and methods of a study.

    Args:
        space: The searched parameters.
        metric: Name of the metric or evaluation loss of a trial: its best value over
            the evaluations.
        direction: "maximize" or "minimize".
        sampler: "tpe" (multivariate, with constant liar) or "random".
        pruner: "median", "hyperband" or "none".
        seed: Of the sampler.
        startup_trials: Trials that are sampled at random and not pruned.
        storage: "journal" or "sqlite".

    Raises:
        ConfigError: A choice is unknown.
    """

    space: tuple[Parameter, ...]
    metric: str
    direction: str = MAXIMIZE
    sampler: str = TPE
    pruner: str = MEDIAN
    seed: int = 0
    startup_trials: int = 5
    storage: str = JOURNAL

    def __post_init__(self) -> None:
        for name in _CHOICES:
            check_choice(name, getattr(self, name))

    def better(self, value: float, other: float) -> bool:
        """Returns whether a value of the metric is better than another."""
        return value > other if self.direction == MAXIMIZE else value < other

    def as_json(self) -> dict[str, Any]:
        """Returns the settings as JSON content."""
        content = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "space"
        }
        return {"search": [p.text for p in self.space], **content}


def check_choice(name: str, value: str) -> None:
    """Raises ConfigError if a value of `Settings` is not one of its choices."""
    if value not in _CHOICES[name]:
        raise unknown_choice(f"--{name}", value, _CHOICES[name])


def read_settings(folder: pathlib.Path) -> Settings | None:
    """Returns the settings of a study; None if the folder has none.

    Raises:
        ConfigError: The file is damaged.
    """
    if not (folder / FILE).exists():
        return None
    content = read_json_object(folder / FILE)
    try:
        space = parse_space(content.pop("search"))
        return Settings(space, **content)
    except (KeyError, TypeError) as error:
        raise ConfigError(
            str(folder / FILE), "is damaged", hint="start a new study"
        ) from error


def settle(folder: pathlib.Path, settings: Settings, config: Config) -> bool:
    """Writes the settings of a new study; checks those of an existing one.

    Returns:
        True if the study exists.

    Raises:
        ConfigError: The existing study has other settings or another config.
        OutputError: The folder cannot be written.
    """
    known = read_settings(folder)
    if known is None:
        save_config(config, folder / BASE_CONFIG, error=OutputError)
        write_json(folder / FILE, settings.as_json(), error=OutputError)
        return False
    _refuse_changes(folder, known, settings)
    changes = diff(load_config(folder / BASE_CONFIG), config)
    if changes:
        first = changes[0]
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise ConfigError(
            str(folder),
            f"is a study of another config: {first.path} was {first.left}, now it is "
            f"{first.right}{more}",
            hint="choose a new --model-dir: trials of two configs cannot be compared",
        )
    return True


def _refuse_changes(folder: pathlib.Path, known: Settings, now: Settings) -> None:
    hint = "run the command of that study, or choose a new --model-dir"
    before, after = {p.text for p in known.space}, {p.text for p in now.space}
    if before != after:
        only = [f"it has {text}" for text in sorted(before - after)]
        only += [f"not {text}" for text in sorted(after - before)]
        raise ConfigError(
            str(folder),
            f"is a study of another search space: {', '.join(only)}",
            hint=hint,
        )
    for name, value in known.as_json().items():
        given = now.as_json()[name]
        if name != "search" and given != value:
            raise ConfigError(
                str(folder),
                f"is a study with another {name}: {value!r}, not {given!r}",
                hint=hint,
            )
