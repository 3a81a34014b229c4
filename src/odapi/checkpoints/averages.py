"""Reads and writes `averages.h5`: moving averages of the weights."""

import pathlib

import keras

from odapi.checkpoints.array_file import Shapes, read_arrays
from odapi.checkpoints.folder import AVERAGES, CONFIG
from odapi.checkpoints.weights import load_into, save_arrays, values
from odapi.config.load import load_config
from odapi.errors import CheckpointError
from odapi.models.detector import Detector
from odapi.optim.ema import averages_of


def save(
    folder: pathlib.Path, detector: Detector, optimizer: keras.optimizers.Optimizer
) -> None:
    """Writes the averages by the names of their variables, if there are any."""
    averages = _by_name(detector, optimizer)
    if averages:
        save_arrays(folder / AVERAGES, values(averages))


def load(
    folder: pathlib.Path, detector: Detector, optimizer: keras.optimizers.Optimizer
) -> None:
    """Restores the averages that `save` wrote into the optimizer."""
    averages = _by_name(detector, optimizer)
    if averages:
        load_into(averages, folder / AVERAGES)


def use_averages(folder: pathlib.Path, detector: Detector) -> bool:
    """Replaces the weights of a detector by the averages of a checkpoint.

    Returns:
        False if the checkpoint has no averages, as that of an exported model.

    Raises:
        CheckpointError: The file does not fit the detector.
    """
    path = folder / AVERAGES
    if not path.is_file():
        return False
    variables = detector.named_variables()

    def check(shapes: Shapes) -> None:
        unknown = sorted(shapes.keys() - variables.keys())
        if unknown:
            raise CheckpointError(str(path), f"{unknown[0]} is not of this model")
        for name, shape in shapes.items():
            if shape != tuple(variables[name].shape):
                raise CheckpointError(
                    str(path),
                    f"{name} has shape {shape}, the model has "
                    f"{tuple(variables[name].shape)}",
                )

    for name, array in read_arrays(path, check).items():
        variables[name].assign(array)
    return True


def are_evaluated(folder: pathlib.Path) -> bool:
    """Returns True if the config of a checkpoint evaluates its averages."""
    config = load_config(folder / CONFIG)
    return config.eval_config.use_moving_averages


def _by_name(
    detector: Detector, optimizer: keras.optimizers.Optimizer
) -> dict[str, keras.Variable]:
    names = {id(v): name for name, v in detector.named_variables().items()}
    return {
        names[id(variable)]: average for variable, average in averages_of(optimizer)
    }
