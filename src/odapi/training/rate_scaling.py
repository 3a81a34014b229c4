"""Rule for the learning rate of a batch size other than that of the config file.

Source: Goyal et al. 2017 (https://arxiv.org/abs/1706.02677), section 2.1: multiply the
learning rate by the factor of the batch size, with a warm-up. For Adam the square root
of the factor: Malladi et al. 2022 (https://arxiv.org/abs/2205.10287).
"""

import math
from collections.abc import Iterator
from typing import Any

from odapi.config.load import Config
from odapi.config.rules.training import rate_of
from odapi.config.view import decimal

_RATES = (
    "learning_rate",
    "initial_learning_rate",
    "learning_rate_base",
    "warmup_learning_rate",
    "burnin_learning_rate",
    "min_learning_rate",
)


def scaling_lines(original: Config, config: Config) -> list[str]:
    """Returns lines with the learning rate of the rule for a changed batch size.

    There are none if the batch size is that of the file, or if the learning rate was
    changed along with it.

    Args:
        original: The config as its file has it.
        config: The config of the training.
    """
    before, batch = original.train_config.batch_size, config.train_config.batch_size
    found = rate_of(config.train_config)
    if found is None or not before or before == batch:
        return []
    optimizer, path, schedule = found
    factor = batch / before
    rule = "linear rule"
    if optimizer == "adam_optimizer":
        factor, rule = math.sqrt(factor), "square-root rule, for Adam"
    rates = dict(_rates(path, schedule))
    known = rate_of(original.train_config)
    if not any(rates.values()) or known is None or dict(_rates(*known[1:])) != rates:
        return []  # The rates were changed along with the batch size.
    options = " ".join(
        f"--set {place}={rate * factor:.4g}" for place, rate in rates.items() if rate
    )
    lines = [
        f"train_config.batch_size is {batch}, in the config {before}: the learning "
        f"rate stays {max(rates.values()):.4g}. By the {rule}, it would be "
        f"multiplied by {factor:.4g}:",
        f"  {options}",
    ]
    if factor > 1 and not _has_warmup(path, schedule):
        lines.append(
            "  with a warm-up, which this schedule lacks: from a tenth of it or less, "
            "such as with cosine_decay_learning_rate"
        )
    return lines


def _rates(path: str, schedule: Any) -> Iterator[tuple[str, float]]:
    """Yields the learning rates of a schedule above 0, with their paths."""
    for name in _RATES:
        if name in schedule.DESCRIPTOR.fields_by_name:
            yield f"{path}.{name}", decimal(getattr(schedule, name))
    for index, step in enumerate(getattr(schedule, "schedule", ())):
        yield f"{path}.schedule[{index}].learning_rate", decimal(step.learning_rate)


def _has_warmup(path: str, schedule: Any) -> bool:
    kind = path.rsplit(".", 1)[1]
    if kind == "cosine_decay_learning_rate":
        return schedule.warmup_steps > 0
    if kind == "exponential_decay_learning_rate":
        return schedule.burnin_steps > 0 and schedule.burnin_learning_rate > 0
    return kind == "manual_step_learning_rate" and schedule.warmup
