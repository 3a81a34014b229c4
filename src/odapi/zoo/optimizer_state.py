"""Takes over what the original's optimizer knows, so that its training goes on."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from odapi.build.optimizer import build_optimizer
from odapi.checkpoints import averages, training_state
from odapi.errors import CheckpointError, ConfigError
from odapi.optim.ema import averages_of
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.values import read_slots, step_of

# Lists of an optimizer of Keras 3, and what Keras 2 calls what is in them.
_SLOTS = {
    "SGD": {"momentums": "momentum"},
    "Adam": {"_momentums": "m", "_velocities": "v"},
    "RMSprop": {
        "_momentums": "momentum",
        "_velocities": "rms",
        "_average_gradients": "mg",
    },
}


def save_optimizer(
    checkpoint: Checkpoint,
    keys: Mapping[str, str],
    detector: Any,
    config: Any,
    moving: Mapping[str, np.ndarray],
) -> tuple[Callable[[pathlib.Path], None], str]:
    """Fills the optimizer of a config from a checkpoint.

    Args:
        checkpoint: Of a training of the original.
        keys: The original's key by our name.
        detector: Built.
        config: A TrainEvalPipelineConfig.
        moving: Moving averages by our names.

    Returns:
        What writes it into a checkpoint folder, and a line that tells what it is.

    Raises:
        CheckpointError: The checkpoint has no such state, or of another optimizer.
        ConfigError: The config freezes variables, which the original did not do.
    """
    train = config.train_config
    if train.freeze_variables or train.update_trainable_variables:
        raise ConfigError(
            "train_config.freeze_variables",
            "the original trained all variables whatever this says; with it, its "
            "optimizer cannot be taken over",
            hint="leave out --keep-optimizer, or give a --config without it",
        )
    optimizer, _ = build_optimizer(config)
    optimizer.build(detector.trainable_variables)
    names = {id(v): name for name, v in detector.named_variables().items()}
    trained = [names[id(v)] for v in detector.trainable_variables]
    told = _fill(optimizer, trained, checkpoint, keys)
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

    return save, f"  optimizer   {told} of {len(trained)} variables: training can go on"


def _fill(
    optimizer: Any, trained: list[str], checkpoint: Checkpoint, keys: Mapping[str, str]
) -> str:
    inner = _inner(optimizer)
    kind = next(k.__name__ for k in type(inner).__mro__ if k.__name__ in _SLOTS)
    wanted = {n: keys[n] for n in trained}
    filled = []
    for attribute, slot in _SLOTS[kind].items():
        variables = getattr(inner, attribute, None)
        if not variables:
            continue
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
        f"has no {slot!r} of {name}; its optimizer kept {kept}",
        hint="is train_config.optimizer the one it was trained with? Without "
        "--keep-optimizer the weights alone are imported",
    )
