"""Folders of saved steps: the state before a step, its batch and its losses.

model_dir/nan/step-XXXXXXXX/
weights.h5  averages.h5  training_state.{h5,json}  pipeline.config
label_map.pbtxt          as of a checkpoint of the step before
batch.h5                 the arrays of the batch
step.json                losses, images and what else is known about the step
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from odapi import files
from odapi.checkpoints import averages, training_state
from odapi.checkpoints import folder as folders
from odapi.checkpoints.start_folder import start_facts
from odapi.checkpoints.weights import load_arrays, save_arrays, save_weights
from odapi.errors import CheckpointError
from odapi.models.detector import Detector

ROOT = "nan"
BATCH, FACTS = "batch.h5", "step.json"
MAX_KEPT = 2  # Each is as large as a checkpoint.

_INPUTS, _GROUNDTRUTH = "inputs/", "groundtruth/"


@dataclasses.dataclass(frozen=True)
class SavedStep:
    """A step that diverged.

    Args:
        step: Its number, from 1.
        losses: Its losses; NaN and infinity are text, as JSON has none.
        problem: What diverged.
        image_ids: Images of its batch.
        learning_rate: That of the step.
        backend: Of the training.
        has_state_before: True if weights and optimizer are those from before the step;
            False if the step had changed them when it was noticed.
    """

    step: int
    losses: Mapping[str, Any]
    problem: str
    image_ids: tuple[str, ...] = ()
    learning_rate: float = 0.0
    backend: str = ""
    has_state_before: bool = True


def write(
    model_dir: pathlib.Path,
    saved: SavedStep,
    batch: tuple[Mapping[str, Any], Mapping[str, Any]],
    state: tuple[Detector, keras.optimizers.Optimizer, Mapping[str, Any]],
    write_metadata: Callable[[pathlib.Path], None],
) -> pathlib.Path:
    """Writes the folder of a step; deletes the oldest of more than `MAX_KEPT`.

    Args:
        model_dir: Folder of the run.
        saved: The step.
        batch: Its inputs and its groundtruth, by field.
        state: Detector, optimizer and facts of the checkpoint, see `training_state`.
        write_metadata: Writes config and label map into a folder.

    Raises:
        CheckpointError: The disk is full or cannot be written.
    """
    detector, optimizer, facts = state
    root = model_dir / ROOT

    def fill(folder: pathlib.Path) -> None:
        save_weights(detector, folder / folders.WEIGHTS)
        averages.save(folder, detector, optimizer)
        own = {**facts, **start_facts(model_dir)}
        training_state.save(folder, detector, optimizer, own)
        named = {
            f"{prefix}{name}": np.asarray(value)
            for prefix, fields in zip((_INPUTS, _GROUNDTRUTH), batch, strict=True)
            for name, value in fields.items()
        }
        save_arrays(folder / BATCH, named)
        content = dataclasses.asdict(saved) | {
            "losses": {name: _for_json(value) for name, value in saved.losses.items()}
        }
        files.write_json(folder / FACTS, content, error=CheckpointError)
        write_metadata(folder)

    if root.is_dir():
        files.remove_unfinished(root)
    _prune(root, MAX_KEPT - 1)  # First, as it may be what the disk lacks.
    return folders.write_folder(root / f"step-{saved.step:08d}", fill)


def _prune(root: pathlib.Path, kept: int) -> None:
    found = sorted(
        (f for f in root.glob("step-*") if (f / FACTS).is_file()),
        key=lambda f: f.stat().st_mtime,
    )
    for folder in found[: max(len(found) - kept, 0)]:
        files.remove_folder(folder)


def read(folder: pathlib.Path) -> SavedStep:
    """Returns the facts about a saved step.

    Raises:
        CheckpointError: The folder is none of a saved step, or is damaged.
    """
    if not (folder / FACTS).is_file():
        steps = sorted(str(f) for f in (folder / ROOT).glob("step-*"))
        raise CheckpointError(
            str(folder),
            f"is no saved step: it has no {FACTS}",
            hint=f"did you mean {steps[-1]}?"
            if steps
            else "a training that diverges writes MODEL_DIR/nan/step-XXXXXXXX",
        )
    content = files.read_json(folder / FACTS, CheckpointError)
    try:
        content["image_ids"] = tuple(content["image_ids"])
        content["losses"] = {n: float(v) for n, v in content["losses"].items()}
        return SavedStep(**content)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise CheckpointError(
            str(folder / FACTS), f"is damaged: {error}", hint="train again to get it"
        ) from error


def read_batch(folder: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the inputs and the groundtruth of a saved step.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    arrays = load_arrays(folder / BATCH)
    inputs, truth = (
        {n.removeprefix(p): array for n, array in arrays.items() if n.startswith(p)}
        for p in (_INPUTS, _GROUNDTRUTH)
    )
    return inputs, truth


def _for_json(value: float) -> Any:
    return value if np.isfinite(value) else str(value)
