"""The file with the moving averages of a training, beside its weights."""

import pathlib
from typing import Any

import keras

from odapi.checkpoints.folder import AVERAGES, CONFIG
from odapi.checkpoints.weights import assign, load_arrays, save_arrays, values
from odapi.config.load import load_config
from odapi.errors import CheckpointError
from odapi.optim.ema import averages_of


def save(
    folder: pathlib.Path, detector: Any, optimizer: keras.optimizers.Optimizer
) -> None:
    """Writes the averages by the names of their variables, if there are any."""
    averages = _by_name(detector, optimizer)
    if averages:
        save_arrays(folder / AVERAGES, values(averages))


def load(
    folder: pathlib.Path, detector: Any, optimizer: keras.optimizers.Optimizer
) -> None:
    """Restores what `save` wrote into the optimizer, which must keep the same."""
    averages = _by_name(detector, optimizer)
    if averages:
        assign(averages, load_arrays(folder / AVERAGES), str(folder / AVERAGES))


def put_in_place(folder: pathlib.Path, detector: Any) -> bool:
    """Puts the averages of a checkpoint in place of a detector's weights.

    Returns:
        Whether there were any. An exported model has none: its weights are what
        was exported.

    Raises:
        CheckpointError: The file does not fit the detector.
    """
    path = folder / AVERAGES
    if not path.is_file():
        return False
    arrays = load_arrays(path)
    variables = detector.named_variables()
    unknown = sorted(arrays.keys() - variables.keys())
    if unknown:
        raise CheckpointError(str(path), f"{unknown[0]} is not of this model")
    assign({name: variables[name] for name in arrays}, arrays, str(path))
    return True


def wanted(folder: pathlib.Path) -> bool:
    """Tells whether the config of a checkpoint asks to evaluate its averages."""
    config = load_config(folder / CONFIG)
    return config.eval_config.use_moving_averages


def _by_name(
    detector: Any, optimizer: keras.optimizers.Optimizer
) -> dict[str, keras.Variable]:
    names = {id(v): name for name, v in detector.named_variables().items()}
    return {
        names[id(variable)]: average for variable, average in averages_of(optimizer)
    }
