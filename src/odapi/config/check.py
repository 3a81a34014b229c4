"""Checks a pipeline config before anything is built from it.

    for finding in check(config):
        print(finding)

`check_fields` names what is not supported, `check_values` the ranges; the other
modules compare fields with each other, and with what lies on the disk.
"""

from collections.abc import Sequence
from typing import Any

from odapi.config import (
    check_center,
    check_context,
    check_data,
    check_fields,
    check_idle,
    check_masks,
    check_model,
    check_rcnn,
    check_rcnn_extractor,
    check_training,
    check_values,
    findings,
)
from odapi.config.findings import Finding

# What only training reads.
_TRAINING = ("train_config", "train_input_reader", "options.train_data")


def check(
    config: Any, for_training: bool = True, for_data: bool = True
) -> list[Finding]:
    """Returns the warnings about a config.

    Args:
        config: A TrainEvalPipelineConfig.
        for_training: Whether a model will be trained; False leaves out what only
            training reads.
        for_data: Whether data sets will be read; False leaves out paths.

    Raises:
        ConfigError: Something is not supported, contradicts itself or does not
            exist; the first such thing, with the others listed after it.
    """
    return findings.raise_errors(find(config, for_training, for_data))


def find(
    config: Any, for_training: bool = True, for_data: bool = True
) -> list[Finding]:
    """Returns all errors and warnings about a config, errors first.

    Args:
        config, for_training, for_data: As `check`.
    """
    unsupported = list(check_fields.find(config))
    found = [*unsupported, *check_values.find(config), *check_model.find(config)]
    found += check_center.find(config)
    found += check_rcnn.find(config, for_training)
    found += check_masks.find(config)
    found += check_context.find(config)
    found += check_rcnn_extractor.find(config)
    found += check_idle.find(config)
    if for_training:
        found += check_training.find(config)
    if for_data:
        found += check_data.find(config, for_training)
    if not for_training:
        found = [f for f in found if not f.path.startswith(_TRAINING)]
    refused = [f.path for f in unsupported if f.is_error]
    found = [f for f in dict.fromkeys(found) if not _below(f.path, refused)]
    return sorted(found, key=lambda f: not f.is_error)


def tell(warnings: Sequence[Finding]) -> None:
    """Prints warnings on standard error, one a line."""
    if not warnings:
        return
    from odapi.progress import console

    shown = console()
    for finding in warnings:
        shown.print(f"[yellow]warning[/]: {_plain(str(finding))}")


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def _below(path: str, refused: Sequence[str]) -> bool:
    """Whether `path` lies inside a part that is refused as a whole."""
    return any(path.startswith((f"{whole}.", f"{whole}[")) for whole in refused)
