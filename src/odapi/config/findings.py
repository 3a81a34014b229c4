"""What a check of a config finds: errors and warnings, each with its path."""

import dataclasses
from collections.abc import Iterable

from odapi.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a user should know about a config.

    Args:
        path: The field, such as "train_config.batch_size".
        problem: What is wrong, with the value.
        hint: The next step.
        is_error: Whether nothing can be built from the config.
    """

    path: str
    problem: str
    hint: str = ""
    is_error: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" + (f" ({self.hint})" if self.hint else "")


def error(path: str, problem: str, hint: str = "") -> Finding:
    """Returns a finding that stops everything."""
    return Finding(path, problem, hint, is_error=True)


def warning(path: str, problem: str, hint: str = "") -> Finding:
    """Returns a finding that is listed only."""
    return Finding(path, problem, hint)


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
    raise ConfigError(first.path, first.problem, hint=first.hint + more)
