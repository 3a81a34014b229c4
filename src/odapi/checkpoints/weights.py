"""Weight files: flat HDF5, one dataset per variable, by the names of the detector."""

import pathlib
from collections.abc import Mapping
from typing import Any

import h5py
import keras
import numpy as np

from odapi.checkpoints.array_file import Shapes, read_arrays, with_checksum
from odapi.errors import CheckpointError
from odapi.files import Pathlike
from odapi.models.detector import Detector

_BLOCK_SIZE = 1 << 22  # Bytes by which an HDF5 file in memory grows.


def save_arrays(path: Pathlike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays under their names; a "/" in a name makes HDF5 groups.

    The file is made in memory: HDF5 crashes the process when a disk is full. It ends
    with its checksum.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    options: dict[str, Any] = {"backing_store": False, "block_size": _BLOCK_SIZE}
    with h5py.File(pathlib.Path(path).name, "w", driver="core", **options) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
        file.flush()
        image = file.id.get_file_image()
    with open(path, "wb") as written:
        written.writelines(with_checksum(image))


def load_arrays(path: Pathlike) -> dict[str, np.ndarray]:
    """Returns all arrays of a file by their names.

    Raises:
        CheckpointError: The file is missing, damaged, or not HDF5.
    """
    return read_arrays(path)


def load_into(variables: Mapping[str, keras.Variable], path: Pathlike) -> None:
    """Assigns to each variable the array of its name in a file.

    Raises:
        CheckpointError: The file is damaged, or names or shapes differ; then nothing
            is assigned, and no array was read.
    """
    place = str(path)
    arrays = read_arrays(path, lambda shapes: _check_fit(variables, shapes, place))
    for name, variable in variables.items():
        variable.assign(arrays[name])


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
    load_into(detector.named_variables(), path)


def _check_fit(
    variables: Mapping[str, keras.Variable], shapes: Shapes, place: str
) -> None:
    problems = [f"{n} is missing" for n in variables if n not in shapes]
    problems += [f"{n} is not of this model" for n in shapes if n not in variables]
    for name in variables.keys() & shapes.keys():
        want, got = tuple(variables[name].shape), shapes[name]
        if want != got:
            problems.append(f"{name} has shape {got}, the model has {want}")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(
            place,
            f"does not fit the model: {'; '.join(sorted(problems)[:3])}{more}",
            hint="check that pipeline.config beside it is that of the training",
        )
