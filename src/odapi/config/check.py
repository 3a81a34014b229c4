"""Checks a pipeline config before anything is built from it.

    for finding in check(config):
        print(finding)

The rules themselves are in `odapi.config.rules`, where the builders read them, too.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from odapi.config import findings
from odapi.config.findings import Finding
from odapi.config.lines import field_lines, line_of
from odapi.config.load import options
from odapi.config.rules import files, registry
from odapi.config.rules.registry import Part


def check(
    config: Any, for_training: bool = True, for_data: bool = True
) -> list[Finding]:
    """Returns the warnings about a config.

    Args:
        config: A TrainEvalPipelineConfig.
        for_training: False skips fields that only training reads.
        for_data: False skips files: datasets, label maps, checkpoints.

    Raises:
        ConfigError: A field is not supported, contradicts another one or names a
            file that does not exist. The other errors are listed after the first.
    """
    return findings.raise_errors(find(config, for_training, for_data))


def find(
    config: Any, for_training: bool = True, for_data: bool = True
) -> list[Finding]:
    """Returns all errors and warnings about a config, errors first.

    Args:
        config, for_training, for_data: See `check`.
    """
    parts = list(Part) if for_training else [Part.MODEL, Part.EVALUATION]
    found = list(registry.find(config, *parts))
    if for_data:
        found += files.find(config, for_training)
    refused = [f.path for f in found if f.is_error and "not supported" in f.problem]
    allowed = options(config).health.allow
    found = [
        f
        for f in dict.fromkeys(found)
        if not _below(f.path, refused) and (f.is_error or f.check not in allowed)
    ]
    return sorted(found, key=lambda f: not f.is_error)


def with_lines(
    findings: Iterable[Finding], text: str, overrides: Sequence[str] = ()
) -> list[Finding]:
    """Returns findings with the lines of their fields.

    Args:
        findings: As of `find`.
        text: Text of the config file.
        overrides: Changes "path=value" of the config; fields of these have no line.
    """
    lines = field_lines(text)
    changed = tuple(override.partition("=")[0].strip() for override in overrides)
    return [
        f
        if changed and f.path.startswith(changed)
        else dataclasses.replace(f, line=line_of(lines, f.path))
        for f in findings
    ]


def print_warnings(warnings: Sequence[Finding]) -> None:
    """Prints warnings on standard error, one per line."""
    if not warnings:
        return
    from rich.text import Text

    from odapi.console import console

    target = console()
    for finding in warnings:
        target.print(Text("warning", "yellow").append(f": {finding}", "default"))


def _below(path: str, refused: Sequence[str]) -> bool:
    """Returns True if `path` lies inside a part that is refused as a whole."""
    return any(path.startswith((f"{whole}.", f"{whole}[")) for whole in refused)
