"""Checks the folder of a run before anything is loaded, read or built."""

import os
import pathlib
import shlex
from typing import Any

from odapi.checkpoints import folder as folders
from odapi.checkpoints import identify
from odapi.errors import OdapiError, OutputError
from odapi.outputs.folder import check_folder, find_marker, new_place
from odapi.outputs.kinds import RUN
from odapi.outputs.writable import refused_paths, shown_path
from odapi.zoo import values
from odapi.zoo.checkpoint.reader import Checkpoint


def check_model_dir(model_dir: str | os.PathLike[str], config: Any) -> None:
    """Checks that a run can be started or resumed in a folder.

    Args:
        model_dir: The folder.
        config: What the run is started from; a path is named in hints.

    Raises:
        OutputError: The folder has files that odapi did not write, such as a
            checkpoint of the TF Object Detection API, or cannot be written.
    """
    folder = pathlib.Path(model_dir)
    with refused_paths(folder):
        index = None if find_marker(folder) else identify.tensorflow_index(folder)
    if index is not None:
        raise _of_the_original(folder, index, config)
    check_folder(folder, RUN)


def _of_the_original(
    folder: pathlib.Path, index: pathlib.Path, config: Any
) -> OutputError:
    """Returns the error for a folder with a checkpoint of the original."""
    name = index.relative_to(folder).with_suffix("").as_posix()
    new = new_place(folder)
    is_tf2 = identify.is_tf2(index)
    step = _step(index) if is_tf2 else identify.number_of(index)
    own = _config_option(folder, index, config)
    given = config if isinstance(config, str | os.PathLike) else "pipeline.config"
    train = f"odapi train {_quoted(given)} --model-dir"
    start = "--set train_config.fine_tune_checkpoint"
    if not is_tf2:
        what = "TF1"
        how = "TF1 checkpoints cannot be imported; start from the model's successor"
        lines = [
            "odapi zoo list",
            f"{train} {_quoted(new)} {start}=zoo/NAME {start}_type=detection",
        ]
    elif step is None:
        what, how = "exported", "to train from its weights in a new folder"
        lines = [
            f"odapi zoo import {_quoted(folder)}{own} --output {_quoted(new)}",
            f"{train} {_quoted(f'{new}-run')} {start}={_quoted(new)} {start}_type=full",
        ]
    else:
        what, how = "TF2", "to resume from it in a new folder"
        lines = [
            f"odapi zoo import {_quoted(folder)}{own} --keep-optimizer "
            f"--output {_quoted(new)}",
            f"odapi train {_quoted(new)} --model-dir {_quoted(new)}",
        ]
    at = "" if step is None else f", step {step}"
    return OutputError(
        shown_path(folder),
        f"has {'an' if what == 'exported' else 'a'} {what} checkpoint of the TF Object "
        f"Detection API ({name}{at})",
        hint="\n    ".join([f"{how}:", *lines]),
    )


def _step(index: pathlib.Path) -> int | None:
    try:
        return values.step_of(Checkpoint(index))
    except OdapiError:  # Damaged; the import reports it.
        return identify.number_of(index)


def _config_option(folder: pathlib.Path, index: pathlib.Path, config: Any) -> str:
    """Returns the option for a config that is not beside the checkpoint."""
    if any((f / folders.CONFIG).is_file() for f in (folder, index.parent)):
        return ""
    is_path = isinstance(config, str | os.PathLike) and os.path.exists(config)
    return f" --config {_quoted(config if is_path else folders.CONFIG)}"


def _quoted(path: str | os.PathLike[str]) -> str:
    return shlex.quote(os.fspath(path))
