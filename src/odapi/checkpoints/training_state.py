"""State for resuming, beside the weights: optimizer, random layers, data position."""

import pathlib
from typing import Any

import keras

from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import assign, load_arrays, save_arrays, values
from odapi.errors import CheckpointError
from odapi.files import read_json, write_json
from odapi.models.detector import Detector
from odapi.optim.ema import averages_of

ARRAYS = "training_state.h5"
FACTS = "training_state.json"


def save(
    folder: pathlib.Path,
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    facts: dict[str, Any],
) -> None:
    """Writes the state of the optimizer and of random layers, and `facts`.

    Args:
        folder: Folder of the checkpoint.
        detector: Its random state is written, its weights are not.
        optimizer: Built.
        facts: See `save_facts`.
    """
    save_arrays(folder / ARRAYS, values(_variables(detector, optimizer)))
    save_facts(folder, facts)


def save_facts(folder: pathlib.Path, facts: dict[str, Any]) -> None:
    """Writes values for JSON: the step, the position in the data, and so on.

    Raises:
        CheckpointError: The file cannot be written.
    """
    write_json(folder / FACTS, facts, indent=1, error=CheckpointError)


def load(
    folder: pathlib.Path, detector: Detector, optimizer: keras.optimizers.Optimizer
) -> dict[str, Any]:
    """Restores the state that `save` wrote, and returns its facts.

    Raises:
        CheckpointError: A file is missing or damaged, or is of another optimizer.
    """
    variables = _variables(detector, optimizer)
    assign(variables, load_arrays(folder / ARRAYS), str(folder / ARRAYS))
    return load_facts(folder)


def load_facts(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the facts of a checkpoint.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    return read_json(
        folder / FACTS,
        CheckpointError,
        hint="a checkpoint without it can be evaluated, exported and fine-tuned "
        "(train_config.fine_tune_checkpoint), but not resumed",
    )


def is_resumable(folder: pathlib.Path) -> bool:
    """Returns True if training can be resumed from a checkpoint folder."""
    return all((folder / name).is_file() for name in (folders.WEIGHTS, ARRAYS, FACTS))


def _variables(
    detector: Detector, optimizer: keras.optimizers.Optimizer
) -> dict[str, keras.Variable]:
    """Returns the variables that are neither weights nor averages, by position.

    Positions are stable: the same config builds the same model.
    """
    weights = {id(v) for v in detector.named_variables().values()}
    others = [v for v in detector.variables if id(v) not in weights]
    averages = {id(average) for _, average in averages_of(optimizer)}
    slots = [v for v in optimizer.variables if id(v) not in averages]
    return {f"optimizer/{i:05d}": v for i, v in enumerate(slots)} | {
        f"random/{i:05d}": v for i, v in enumerate(others)
    }
