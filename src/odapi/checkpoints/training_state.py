"""State for resuming, beside the weights: optimizer, random layers, data position."""

import hashlib
import json
import math
import pathlib
from typing import Any

import keras

from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_into, save_arrays, values
from odapi.errors import CheckpointError
from odapi.files import read_json, read_json_object, write_json
from odapi.models.detector import Detector
from odapi.optim.ema import averages_of

ARRAYS = "training_state.h5"
FACTS = "training_state.json"

_CHECKSUM = "sha256"
_MAX_STEP = 2**53  # Numbers up to here are exact in every JSON program.
_HINT = (
    "a checkpoint without it can be evaluated, exported and fine-tuned "
    "(train_config.fine_tune_checkpoint), but not resumed"
)


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
    content = {**facts, _CHECKSUM: _checksum(facts)}
    write_json(folder / FACTS, content, indent=1, error=CheckpointError)


def load(
    folder: pathlib.Path, detector: Detector, optimizer: keras.optimizers.Optimizer
) -> dict[str, Any]:
    """Restores the state that `save` wrote, and returns its facts.

    Raises:
        CheckpointError: A file is missing or damaged, or is of another optimizer.
    """
    variables = _variables(detector, optimizer)
    facts = load_facts(folder)
    load_into(variables, folder / ARRAYS)
    return facts


def load_facts(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the facts of a checkpoint.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    path = folder / FACTS
    facts = read_json(path, CheckpointError, hint=_HINT)
    problem = _problem(facts)
    if problem:
        raise CheckpointError(str(path), f"is damaged: {problem}", hint=_HINT)
    facts.pop(_CHECKSUM, None)
    return facts


def find_step(folder: pathlib.Path) -> int | None:
    """Returns the training step of a checkpoint; None if it is unknown."""
    step = read_json_object(folder / FACTS).get("step")
    return step if _is_step(step) else folders.step_of(folder)


def _problem(facts: Any) -> str:
    """Returns what is wrong with the content of the file, or ""."""
    if not isinstance(facts, dict):
        return f"it is no JSON object, but {_shown(facts)}"
    own = {name: value for name, value in facts.items() if name != _CHECKSUM}
    # Files of old versions have no checksum.
    if _CHECKSUM in facts and facts[_CHECKSUM] != _checksum(own):
        return "its content differs from its checksum"
    if not _is_step(facts.get("step")):
        return f"step is {_shown(facts.get('step'))}, not a number of steps"
    if not _is_finite(facts.get("seconds", 0.0)):
        return f"seconds is {_shown(facts['seconds'])}, not a number"
    loss = facts.get("reference_loss")
    if loss is not None and not _is_finite(loss):
        return f"reference_loss is {_shown(loss)}, not a number"
    if not _is_position(facts.get("data"), is_top=True):
        return f"data is {_shown(facts['data'])}, not a position in the data"
    return ""


def _checksum(facts: dict[str, Any]) -> str:
    read_back = json.loads(json.dumps(facts))  # Keys that are numbers become text.
    text = json.dumps(read_back, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MAX_STEP


def _is_finite(value: Any) -> bool:
    if type(value) is int:
        return abs(value) <= _MAX_STEP
    return isinstance(value, float) and math.isfinite(value)


def _is_position(value: Any, is_top: bool = False) -> bool:
    """Returns True for objects and lists of integers and of names."""
    if is_top and value is not None and not isinstance(value, dict):
        return False
    if isinstance(value, dict):
        return all(map(_is_position, value.values()))
    if isinstance(value, list):
        return all(map(_is_position, value))
    return not isinstance(value, float)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


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
