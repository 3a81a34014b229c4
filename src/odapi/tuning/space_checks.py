"""Checks a search space against a config, before the first trial.

Every end of a range and every choice is tried in the config: the field must exist, take
the value, be in its range, and have an effect.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from odapi.config import schema
from odapi.config.check import find
from odapi.config.findings import Finding, raise_errors
from odapi.config.load import Config, load_config
from odapi.errors import ConfigError
from odapi.tuning.search_space import CHOICE, Parameter, Value

# They change how trials are measured or stored: their metrics could not be compared.
_MEASURING = (
    "eval_input_reader", "eval_config", "options.eval_data", "options.evaluation",
    "options.checkpoints",
)  # fmt: skip
_NOT_MEASURING = ("eval_config.use_moving_averages",)
_NO_EFFECT = "has no effect"
_INNER = 0.382  # Place of a value inside of a range.


def check_space(config: Config, space: Sequence[Parameter]) -> None:
    """Checks every searched field with the ends of its range.

    A value may be refused beside the config's values of other searched fields: it must
    be accepted beside their lowest, or beside their highest values.

    Raises:
        ConfigError: A path names no field, a value does not fit or is not allowed, a
            field has no effect, or it changes how trials are measured. Or the config
            has an error that no searched value removes.
    """
    for parameter in space:
        _check_paths(parameter)
        for value in [*parameter.extremes(), *_inner(parameter)]:
            _apply(config, parameter, value)
    bases = list(base_configs(config, space))
    _check_bases(bases)
    for parameter in space:
        for value in parameter.extremes():
            _check_value(bases, parameter, value)


def base_configs(config: Config, space: Sequence[Parameter]) -> Iterator[Config]:
    """Yields the config, with all searched fields at their lowest, and highest."""
    yield config
    for index in (0, -1):
        changed = config
        for parameter in space:
            changed = _apply(changed, parameter, parameter.extremes()[index])
        yield changed


def field_of(path: str) -> Any:
    """Returns the descriptor of the field that a valid path ends in."""
    message, field = schema.ROOT, None
    for name in path.replace("[", ".").replace("]", "").split("."):
        fields = schema.fields(message) if message is not None else {}
        if name in fields:  # Others are indices and keys.
            field = fields[name]
            message = field.message_type
    return field


def _check_paths(parameter: Parameter) -> None:
    for path in parameter.paths:
        if _is_below(path, _MEASURING) and not _is_below(path, _NOT_MEASURING):
            raise ConfigError(
                f"--search {parameter.text}",
                f"{path} changes how trials are measured or stored, not the model",
                hint=f"set it for all trials: --set {path}=VALUE",
            )


def _is_below(path: str, parents: tuple[str, ...]) -> bool:
    return any(path == p or path.startswith((f"{p}.", f"{p}[")) for p in parents)


def _inner(parameter: Parameter) -> list[Value]:
    """Returns a value inside of a range: a whole number must not be searched as any."""
    if parameter.kind == CHOICE or parameter.is_whole:
        return []
    distance = parameter.step or _INNER * (parameter.high - parameter.low)
    return [parameter.low + distance]


def _apply(config: Config, parameter: Parameter, value: Value) -> Config:
    try:
        return load_config(config, parameter.overrides(value))
    except ConfigError as error:
        hint = error.hint
        if "takes a whole number" in error.problem and not parameter.is_whole:
            hint = "search it with int(LOW, HIGH), logint(LOW, HIGH) or choice(...)"
        raise ConfigError(f"--search {parameter.text}", error.problem, hint) from error


def _check_bases(bases: list[Config]) -> None:
    """Raises the errors that all configs have: the search does not remove them."""
    found = [_errors(base) for base in bases]
    raise_errors(f for f in found[0] if all(_has(others, f) for others in found))


def _check_value(bases: list[Config], parameter: Parameter, value: Value) -> None:
    tried = [find(_apply(base, parameter, value)) for base in bases]
    errors = [[f for f in found if f.is_error] for found in tried]
    place, text = f"--search {parameter.text}", parameter.value_text(value)
    if all(errors):
        first = errors[0][0]
        raise ConfigError(
            place, f"{text} is refused: {first.path}: {first.problem}", first.hint
        )
    for path in parameter.paths:
        dead = [_without_effect(found, path) for found in tried]
        if all(dead):
            raise ConfigError(
                place,
                f"with this config, {path} {dead[0].problem}",  # type: ignore[union-attr]
                dead[0].hint or "search another field",  # type: ignore[union-attr]
            )


def _errors(config: Config) -> list[Finding]:
    return [finding for finding in find(config) if finding.is_error]


def _has(findings: list[Finding], wanted: Finding) -> bool:
    return any(f.path == wanted.path for f in findings)


def _without_effect(findings: list[Finding], path: str) -> Finding | None:
    """Returns the finding that a field, or the block it is in, has no effect."""
    for finding in findings:
        if _NO_EFFECT in finding.problem and _is_below(path, (finding.path,)):
            return finding
    return None
