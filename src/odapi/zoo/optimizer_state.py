"""Import of the original's optimizer state, to resume its training."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from odapi.build.optimizer import build_optimizer
from odapi.checkpoints import averages, training_state
from odapi.errors import CheckpointError, ConfigError
from odapi.models.detector import Detector
from odapi.optim.ema import averages_of
from odapi.runtime.compat import optimizer_slots
from odapi.wording import counted
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.values import read_slots, step_of


def save_optimizer(
    checkpoint: Checkpoint,
    keys: Mapping[str, str],
    detector: Detector,
    config: Any,
    moving: Mapping[str, np.ndarray],
) -> tuple[Callable[[pathlib.Path], None], str]:
    """Fills the optimizer of a config from a checkpoint.

    Args:
        checkpoint: Of a training of the original.
        keys: The original's keys by variable name.
        detector: Built.
        config: A TrainEvalPipelineConfig.
        moving: Moving averages by variable name.

    Returns:
        A function that writes the state to a checkpoint folder, and a report line.

    Raises:
        CheckpointError: The checkpoint has no optimizer state, or that of another one.
        ConfigError: The config freezes variables, which the original did not do.
    """
    train = config.train_config
    if train.freeze_variables or train.update_trainable_variables:
        raise ConfigError(
            "train_config.freeze_variables",
            "is ignored by the original, which trained all variables; its optimizer "
            "state does not fit a training that freezes some",
            hint="omit --keep-optimizer, or use a --config without it",
        )
    optimizer, _ = build_optimizer(config)
    optimizer.build(detector.trainable_variables)
    names = {id(v): name for name, v in detector.named_variables().items()}
    trained = [names[id(v)] for v in detector.trainable_variables]
    slots = _fill(optimizer, trained, checkpoint, keys)
    for variable, average in averages_of(optimizer):
        name = names[id(variable)]
        if name not in moving:
            raise _missing(checkpoint, "average", name)
        average.assign(moving[name])
    step = step_of(checkpoint) or 0
    _inner(optimizer).iterations.assign(step)

    def save(folder: pathlib.Path) -> None:
        averages.save(folder, detector, optimizer)
        training_state.save(folder, detector, optimizer, {"step": step})

    return (
        save,
        f"  optimizer   {slots} of {counted(len(trained), 'variable')}: training can "
        f"resume",
    )


def _fill(
    optimizer: Any, trained: list[str], checkpoint: Checkpoint, keys: Mapping[str, str]
) -> str:
    inner = _inner(optimizer)
    wanted = {n: keys[n] for n in trained}
    filled = []
    for slot, variables in optimizer_slots(inner).items():
        arrays = read_slots(checkpoint, wanted, slot)
        for name, variable in zip(trained, variables, strict=True):
            if name not in arrays:
                raise _missing(checkpoint, slot, name)
            variable.assign(arrays[name])
        filled.append(slot)
    return " and ".join(filled) or "the step count"


def _inner(optimizer: Any) -> Any:
    return getattr(optimizer, "inner_optimizer", optimizer)


def _missing(checkpoint: Checkpoint, slot: str, name: str) -> CheckpointError:
    kept = ", ".join(sorted(checkpoint.graph.slot_names())) or "nothing"
    return CheckpointError(
        checkpoint.prefix,
        f"has no {slot!r} of {name}; its optimizer state has {kept}",
        hint="check that train_config.optimizer is that of the training; without "
        "--keep-optimizer only the weights are imported",
    )
