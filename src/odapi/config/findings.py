"""Errors and warnings about a config, each with the path of its field."""

import dataclasses
from collections.abc import Iterable

from odapi.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Finding:
    """An error or a warning about one field of a config.

    Args:
        path: The field, such as "train_config.batch_size".
        problem: The problem, with the value.
        hint: The next step.
        is_error: True if the config cannot be used.
        line: Line of the field in the config file; None if unknown.
        check: Name of a health check, a value of `options.health.allow`, which turns
            the warning off; "" for others.
    """

    path: str
    problem: str
    hint: str = ""
    is_error: bool = False
    line: int | None = None
    check: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.problem}" + (f" ({self.hint})" if self.hint else "")
        return f"{text} [{self.check}]" if self.check else text


def error(path: str, problem: str, hint: str = "") -> Finding:
    """Returns a finding that makes a config unusable."""
    return Finding(path, problem, hint, is_error=True)


def warning(path: str, problem: str, hint: str = "", check: str = "") -> Finding:
    """Returns a finding that is only reported."""
    return Finding(path, problem, hint, check=check)


def raise_errors(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the warnings, or raises the first error with a list of the others.

    Raises:
        ConfigError: There is an error.
    """
    found = list(findings)
    errors = [f for f in found if f.is_error]
    if not errors:
        return found
    first, others = errors[0], errors[1:]
    more = "".join(f"\nand {other.path}: {other.problem}" for other in others)
    if not first.hint:
        raise ConfigError(first.path, first.problem + more)
    raise ConfigError(first.path, first.problem, hint=first.hint + more)
