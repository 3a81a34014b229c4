"""Checkpoints on disk: folders that are written whole or not at all.

    model_dir/
        pipeline.config  label_map.pbtxt  metrics.jsonl  training.json  train/  eval/
        checkpoints/
            step-00000800/   weights.h5  averages.h5  pipeline.config  label_map.pbtxt
                             training_state.h5  training_state.json
            last  best       pointers: JSON with the name of a folder

A folder gets its name by one rename after all its files are on the disk, and the
pointer moves after that: whenever the process or the machine dies, the checkpoint
that a pointer names is whole.
"""

import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterable
from typing import Any

from odapi.checkpoints import identify
from odapi.errors import CheckpointError

WEIGHTS = "weights.h5"
AVERAGES = "averages.h5"
CONFIG = "pipeline.config"
LABEL_MAP = "label_map.pbtxt"

_ROOT = "checkpoints"
_STEP = re.compile(r"step-(\d+)$")
_WRITING = ".writing-"
_OLD = ".old"

Pathlike = str | os.PathLike[str]


def write(
    model_dir: Pathlike, step: int, fill: Callable[[pathlib.Path], None]
) -> pathlib.Path:
    """Writes the checkpoint of a step; `fill` puts the files into a folder.

    Returns:
        The folder, `model_dir/checkpoints/step-XXXXXXXX`.

    Raises:
        CheckpointError: The disk is full or cannot be written; every checkpoint
            that was there before still is.
    """
    root = pathlib.Path(model_dir) / _ROOT
    final = root / f"step-{step:08d}"
    return write_folder(final, fill, root / f"{_WRITING}{step:08d}-{os.getpid()}")


def write_folder(
    final: pathlib.Path,
    fill: Callable[[pathlib.Path], None],
    writing: pathlib.Path | None = None,
) -> pathlib.Path:
    """Writes a folder so that it has its name only when it is whole.

    Args:
        final: The folder; what is there is replaced.
        fill: Puts the files into a folder.
        writing: Name until it is whole, beside `final`.

    Raises:
        CheckpointError: The disk is full or cannot be written; what was there
            before still is.
    """
    if writing is None:
        writing = final.with_name(f"{_WRITING}{final.name}-{os.getpid()}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir()
        fill(writing)
        _sync_all(writing)
        _replace_folder(writing, final)
    except (OSError, RuntimeError) as error:  # h5py raises both when a disk is full.
        shutil.rmtree(writing, ignore_errors=True)
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            str(final),
            f"could not be written: {error}",
            hint="the checkpoints before it are whole; make room, then run the same "
            "command again",
        ) from error
    return final


def point(model_dir: Pathlike, name: str, folder: pathlib.Path, **facts: Any) -> None:
    """Makes the pointer `name` ("last" or "best") name a checkpoint folder.

    Args:
        model_dir: Where the run lives.
        name: Of the pointer.
        folder: The checkpoint; must be whole.
        facts: Kept in the pointer, such as `metric` and `value` of the best.
    """
    content = {"folder": folder.name, "step": step_of(folder), **facts}
    write_text(pathlib.Path(model_dir) / _ROOT / name, json.dumps(content) + "\n")


def pointer(model_dir: Pathlike, name: str) -> dict[str, Any]:
    """Returns what the pointer `name` says, or {} where there is none to read."""
    try:
        content = json.loads((pathlib.Path(model_dir) / _ROOT / name).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def latest(model_dir: Pathlike) -> pathlib.Path | None:
    """Returns the last whole checkpoint, or None where there is none."""
    pointed = _pointed(model_dir, "last")
    if pointed:
        return pointed
    whole = steps(model_dir)
    return whole[max(whole)] if whole else None


def best(model_dir: Pathlike) -> pathlib.Path | None:
    """Returns the checkpoint with the best metric, or None where there is none."""
    return _pointed(model_dir, "best")


def steps(model_dir: Pathlike) -> dict[int, pathlib.Path]:
    """Returns all whole checkpoints by their step."""
    found = {}
    for folder in sorted((pathlib.Path(model_dir) / _ROOT).glob("step-*")):
        match = _STEP.match(folder.name)
        if match and (folder / WEIGHTS).is_file():
            found[int(match[1])] = folder
    return found


def step_of(folder: pathlib.Path) -> int | None:
    """Returns the step in the name of a checkpoint folder; None: there is none."""
    match = _STEP.match(folder.name)
    return int(match[1]) if match else None


def prune(model_dir: Pathlike, keep: int) -> None:
    """Deletes all checkpoints but the last, the best and the `keep` newest others."""
    kept = {latest(model_dir), best(model_dir)}
    others = [f for _, f in sorted(steps(model_dir).items()) if f not in kept]
    for folder in others[: max(len(others) - keep, 0)]:
        shutil.rmtree(folder, ignore_errors=True)


def tidy(model_dir: Pathlike) -> None:
    """Deletes what a killed process left half written; call it when no other writes."""
    root = pathlib.Path(model_dir) / _ROOT
    for folder in root.glob(f"{_WRITING}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in root.glob(f"step-*{_OLD}"):
        whole = folder.with_name(folder.name.removesuffix(_OLD))
        if whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            folder.rename(whole)


def find(path: Pathlike) -> pathlib.Path:
    """Returns the checkpoint folder that a path given by a user means.

    Args:
        path: A model_dir (its best checkpoint, else its last), a checkpoint
            folder, an exported folder, or the weights file in one of these.

    Raises:
        CheckpointError: There is no checkpoint of ours; says what there is.
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


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a small file so that it has either its old content or the new one.

    Raises:
        CheckpointError: The disk is full or cannot be written.
    """
    writing = path.with_name(f"{_WRITING}{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(writing, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(writing, path)
        _sync([path.parent])
    except OSError as error:
        writing.unlink(missing_ok=True)
        raise CheckpointError(str(path), f"could not be written: {error}") from error


def _pointed(model_dir: Pathlike, name: str) -> pathlib.Path | None:
    target = pointer(model_dir, name).get("folder")
    if not isinstance(target, str) or not _STEP.match(target):
        return None
    folder = pathlib.Path(model_dir) / _ROOT / target
    # The second is there only if the process died between two renames.
    for candidate in (folder, folder.with_name(folder.name + _OLD)):
        if (candidate / WEIGHTS).is_file():
            return candidate
    return None


def _replace_folder(writing: pathlib.Path, final: pathlib.Path) -> None:
    old = final.with_name(final.name + _OLD)
    if final.exists():
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
    writing.rename(final)
    _sync([final.parent])
    shutil.rmtree(old, ignore_errors=True)


def _sync_all(folder: pathlib.Path) -> None:
    _sync([*(f for f in folder.rglob("*")), folder])


def _sync(paths: Iterable[pathlib.Path]) -> None:
    """Waits until files and folders are on the disk."""
    for path in paths:
        if os.name == "nt" and path.is_dir():  # Windows cannot open folders.
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
            "nothing was saved here yet",
            hint=f"train first: odapi train {path / CONFIG} --model-dir {path}",
        )
    return CheckpointError(
        str(path),
        f"no checkpoint is here: neither {WEIGHTS} nor a folder {_ROOT}/step-*",
        hint="give the folder that was --model-dir of `odapi train`, one of its "
        f"folders {_ROOT}/step-*, or a folder made by `odapi export`",
    )
