"""Checkpoints on disk: folders that are written completely or not at all.

    model_dir/
        pipeline.config  label_map.pbtxt  metrics.jsonl  training.json  train/  eval/
        checkpoints/
            step-00000800/   weights.h5  averages.h5  batch_norm.h5  pipeline.config
                             label_map.pbtxt  training_state.h5  training_state.json
            last  best       pointers: JSON with the name of a folder

A folder gets its name by one rename after all its files are on the disk, and the
pointer moves after that: whenever the process or the machine dies, the checkpoint
that a pointer names is complete.
"""

import pathlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from odapi import files
from odapi.checkpoints import identify
from odapi.errors import CheckpointError, OdapiError
from odapi.files import Pathlike
from odapi.outputs.marker import MARKER

WEIGHTS = "weights.h5"
AVERAGES = "averages.h5"
BATCH_NORM = "batch_norm.h5"
CONFIG = "pipeline.config"
LABEL_MAP = "label_map.pbtxt"

# Of models with keypoints: the file named in the config may be on another machine.
KEYPOINTS = "keypoint_label_map.pbtxt"

_CHECKPOINT_FILES = {
    WEIGHTS, AVERAGES, BATCH_NORM, CONFIG, LABEL_MAP, KEYPOINTS,
    "training_state.h5", "training_state.json",
}  # fmt: skip
_RUN_FILES = (
    CONFIG, LABEL_MAP, KEYPOINTS, "metrics.jsonl", "losses.jsonl", "training.json",
    "curves.png", MARKER, "metadata",
)  # fmt: skip
_ROOT = "checkpoints"
_STEP = re.compile(r"step-(\d+)$")


def write(
    model_dir: Pathlike, step: int, fill: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """Writes the checkpoint of a step; `fill` puts the files into a folder.

    Returns:
        The folder, `model_dir/checkpoints/step-XXXXXXXX`.

    Raises:
        CheckpointError: The disk is full or cannot be written; existing checkpoints
            are kept.
    """
    return write_folder(path_of(model_dir, step), fill)


def path_of(model_dir: Pathlike, step: int) -> pathlib.Path:
    """Returns the folder of the checkpoint of a step."""
    return pathlib.Path(model_dir) / _ROOT / f"step-{step:08d}"


def write_folder(
    final: pathlib.Path, fill: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """Writes a folder that gets its name only when it is complete.

    Args:
        final: The folder; an existing one is replaced.
        fill: Writes the files into a folder.

    Raises:
        CheckpointError: The disk is full or cannot be written; an existing folder
            is kept.
    """
    try:
        with files.atomic_folder(final) as writing:
            fill(writing)
    except (OSError, RuntimeError, MemoryError) as error:
        raise _not_written(final, error) from error
    except OdapiError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise _not_written(final, error.__cause__) from error
    return final


def _not_written(final: pathlib.Path, problem: BaseException) -> CheckpointError:
    reason = getattr(problem, "strerror", None) or problem or "not enough memory"
    return CheckpointError(
        str(final),
        f"could not be written: {reason}",
        hint="earlier checkpoints are complete; free disk space, then run the same "
        "command again",
    )


def set_pointer(
    model_dir: Pathlike, name: str, folder: pathlib.Path, **facts: Any
) -> None:
    """Makes the pointer `name` ("last" or "best") refer to a checkpoint folder.

    Args:
        model_dir: Folder of the run.
        name: Name of the pointer.
        folder: The checkpoint; must be complete.
        facts: Kept in the pointer, such as `metric` and `value` of the best.
    """
    content = {"folder": folder.name, "step": step_of(folder), **facts}
    path = pathlib.Path(model_dir) / _ROOT / name
    files.write_json(path, content, indent=None, durable=True, error=CheckpointError)


def read_pointer(model_dir: Pathlike, name: str) -> dict[str, Any]:
    """Returns the content of a pointer, or {} if it cannot be read."""
    return files.read_json_object(pathlib.Path(model_dir) / _ROOT / name)


def latest(model_dir: Pathlike) -> pathlib.Path | None:
    """Returns the last complete checkpoint, or None."""
    pointed = _pointed(model_dir, "last")
    if pointed:
        return pointed
    whole = steps(model_dir)
    return whole[max(whole)] if whole else None


def best(model_dir: Pathlike) -> pathlib.Path | None:
    """Returns the checkpoint with the best metric, or None."""
    return _pointed(model_dir, "best")


def steps(model_dir: Pathlike) -> dict[int, pathlib.Path]:
    """Returns all complete checkpoints by their step."""
    found = {}
    for folder in sorted((pathlib.Path(model_dir) / _ROOT).glob("step-*")):
        match = _STEP.match(folder.name)
        if match and (folder / WEIGHTS).is_file():
            found[int(match[1])] = folder
    return found


def step_of(folder: pathlib.Path) -> int | None:
    """Returns the step in the name of a checkpoint folder, or None."""
    match = _STEP.match(folder.name)
    return int(match[1]) if match else None


def prune(model_dir: Pathlike, keep: int, also: Iterable[pathlib.Path] = ()) -> None:
    """Deletes all checkpoints but the last, the best and the `keep` newest others.

    Args:
        model_dir: Folder of the run.
        keep: Number of others to keep.
        also: Checkpoints to keep in any case.
    """
    kept = {latest(model_dir), best(model_dir), *also}
    others = [f for _, f in sorted(steps(model_dir).items()) if f not in kept]
    for folder in others[: max(len(others) - keep, 0)]:
        files.remove_folder(folder)


def remove(folder: pathlib.Path) -> None:
    """Deletes a checkpoint."""
    files.remove_folder(folder)


def remove_partial(model_dir: Pathlike) -> None:
    """Deletes what killed trainings left behind; no other process may write.

    These are temporary files and folders, and checkpoints without weights.
    """
    model_dir = pathlib.Path(model_dir)
    for name in _RUN_FILES:
        files.remove_unfinished(model_dir, name)
    files.remove_unfinished(model_dir / _ROOT)
    for folder in (model_dir / _ROOT).glob("step-*"):
        if _STEP.match(folder.name) and _is_half_deleted(folder):
            files.remove_folder(folder)


def _is_half_deleted(folder: pathlib.Path) -> bool:
    """Returns True if a folder has no weights, and no files but those of odapi."""
    if (folder / WEIGHTS).exists() or not folder.is_dir():
        return False
    return all(file.name in _CHECKPOINT_FILES for file in folder.iterdir())


def find(path: Pathlike) -> pathlib.Path:
    """Returns the checkpoint folder that a user's path refers to.

    Args:
        path: A model_dir (its best checkpoint, else its last), a checkpoint
            folder, an exported folder, or the weights file in one of these.

    Raises:
        CheckpointError: The path has no checkpoint of odapi; names what it is instead.
    """
    path = pathlib.Path(path)
    if path.name == WEIGHTS and path.is_file():
        return path.parent
    if path.name == _ROOT and not (path / WEIGHTS).exists() and path.is_dir():
        path = path.parent
    for folder in (path, path / "checkpoint"):
        if (folder / WEIGHTS).is_file():
            return folder
    found = best(path) or latest(path)
    if found:
        return found
    raise _not_found(path)


def _pointed(model_dir: Pathlike, name: str) -> pathlib.Path | None:
    target = read_pointer(model_dir, name).get("folder")
    if not isinstance(target, str) or not _STEP.match(target):
        return None
    folder = pathlib.Path(model_dir) / _ROOT / target
    # The second is there only if the process died between two renames.
    for candidate in (folder, files.replaced_path(folder)):
        if (candidate / WEIGHTS).is_file():
            return candidate
    return None


def _not_found(path: pathlib.Path) -> CheckpointError:
    other = identify.identify(path)
    if other:
        return CheckpointError(
            str(path), f"is {other.what}, not a checkpoint of odapi", hint=other.hint
        )
    if not path.exists():
        return CheckpointError(str(path), "does not exist")
    if (path / CONFIG).is_file():
        return CheckpointError(
            str(path),
            "has no checkpoint yet",
            hint=f"train first: odapi train {path / CONFIG} --model-dir {path}",
        )
    return CheckpointError(
        str(path),
        f"has no checkpoint: neither {WEIGHTS} nor a folder {_ROOT}/step-*",
        hint="pass the --model-dir of `odapi train`, one of its "
        f"folders {_ROOT}/step-*, or a folder made by `odapi export`",
    )
