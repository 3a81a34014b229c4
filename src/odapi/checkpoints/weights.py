"""Weight files: flat HDF5, one dataset per variable, by the names of the detector."""

import pathlib
from collections.abc import Mapping
from typing import Any

import h5py
import keras
import numpy as np

from odapi.errors import CheckpointError
from odapi.files import Pathlike
from odapi.models.detector import Detector


def save_arrays(path: Pathlike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays under their names; a "/" in a name makes HDF5 groups.

    Raises:
        OSError, RuntimeError: The disk is full or cannot be written.
    """
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def load_arrays(path: Pathlike) -> dict[str, np.ndarray]:
    """Returns all arrays of a file by their names.

    Raises:
        CheckpointError: The file is missing, damaged, or not HDF5.
    """
    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = np.asarray(item[()])

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError) as error:
        exists = pathlib.Path(path).exists()
        problem = f"cannot be read: {error}" if exists else "does not exist"
        raise CheckpointError(str(path), problem) from error
    return arrays


def values(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    """Returns the values of variables, on the host."""
    return {n: keras.ops.convert_to_numpy(v) for n, v in variables.items()}


def save_weights(detector: Detector, path: Pathlike) -> None:
    """Writes all weights of a detector, by their names in `named_variables()`."""
    save_arrays(path, values(detector.named_variables()))


def load_weights(detector: Detector, path: Pathlike) -> None:
    """Loads a file of `save_weights` into a detector of the same config.

    Raises:
        CheckpointError: The file is damaged, or names or shapes differ;
            then nothing is loaded.
    """
    assign(detector.named_variables(), load_arrays(path), str(path))


def assign(
    variables: Mapping[str, keras.Variable],
    arrays: Mapping[str, np.ndarray],
    place: str,
) -> None:
    """Assigns to each variable the array of its name.

    Raises:
        CheckpointError: A name is missing on one side, or a shape differs;
            then nothing is assigned.
    """
    problems = [f"{n} is missing" for n in variables if n not in arrays]
    problems += [f"{n} is not of this model" for n in arrays if n not in variables]
    for name in variables.keys() & arrays.keys():
        want, got = tuple(variables[name].shape), arrays[name].shape
        if want != got:
            problems.append(f"{name} has shape {got}, the model has {want}")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(
            place,
            f"does not fit the model: {'; '.join(sorted(problems)[:3])}{more}",
            hint="check that pipeline.config beside it is that of the training",
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
