"""Finding and loading of SavedModels, with errors for damaged ones."""

import os
import pathlib
from typing import Any

from odapi.errors import CheckpointError
from odapi.exporters.saved_model.checksums import damaged
from odapi.exporters.saved_model.plain_path import plain_path

FOLDER = "saved_model"
_FILE = "saved_model.pb"
_UNKNOWN_OPERATION = "Op type not registered"
_MAX_REASON = 200


def find_saved_model(folder: str | os.PathLike) -> pathlib.Path | None:
    """Returns the SavedModel at a path or in the folder of an export, else None."""
    folder = pathlib.Path(folder)
    if folder.name == _FILE and folder.is_file():
        return folder.parent
    candidates = (folder, folder / FOLDER)
    return next((c for c in candidates if (c / _FILE).is_file()), None)


def require_saved_model(folder: pathlib.Path) -> pathlib.Path:
    """Returns the SavedModel at a path.

    Raises:
        CheckpointError: There is none.
    """
    found = find_saved_model(folder)
    if found is not None:
        return found
    there = "has" if folder.is_dir() else "does not exist;"
    raise CheckpointError(
        str(folder),
        f"{there} no {_FILE}",
        hint=f"export one with: odapi export {folder} exported",
    )


def load_saved_model(path: pathlib.Path) -> Any:
    """Loads a SavedModel.

    Raises:
        CheckpointError: It is damaged, or needs operations that TensorFlow lacks.
    """
    import tensorflow as tf

    try:
        with plain_path(path) as readable:
            return tf.saved_model.load(readable)
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:
        # Damaged files fail anywhere in TensorFlow, with errors of any type.
        if _UNKNOWN_OPERATION in str(error):
            raise CheckpointError(
                str(path),
                f"needs an operation that this TensorFlow lacks: {first_line(error)}",
            ) from error
        raise damaged(path, first_line(error)) from error


def not_runnable(place: str, error: Exception) -> CheckpointError:
    """Returns the error for a model that was loaded and fails on an image."""
    return CheckpointError(
        place,
        f"fails on this input: {first_line(error)}",
        hint="if it fails on every image, it is damaged: export it again",
    )


def first_line(error: Exception) -> str:
    """Returns the first line of an error's text, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    return reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]} ..."
