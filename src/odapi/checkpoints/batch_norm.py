"""Reads and writes `batch_norm.h5`: batch statistics for evaluation, measured anew.

A checkpoint without this file, whose config asks for it, gets the statistics when it
is loaded, from the training data of its config.
"""

import itertools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.checkpoints.folder import BATCH_NORM
from odapi.checkpoints.weights import load_into, save_arrays
from odapi.config.load import Config, options
from odapi.console import console
from odapi.errors import ConfigError, DataError
from odapi.labels import LabelMap
from odapi.models.batch_statistics import BatchStatistics, moving_statistics
from odapi.models.detector import Detector
from odapi.progress import track
from odapi.wording import counted

OPTION = "options.recalibrate_batch_norm"


def save(folder: pathlib.Path, statistics: Mapping[str, np.ndarray]) -> None:
    """Writes statistics by the names of their variables."""
    save_arrays(folder / BATCH_NORM, statistics)


def save_if_used(folder: pathlib.Path, config: Config, detector: Detector) -> None:
    """Writes the statistics of a detector that was loaded with re-estimated ones."""
    if options(config).recalibrate_batch_norm:
        save(folder, moving_statistics(detector))


def use_statistics(
    folder: pathlib.Path,
    saved: Config,
    config: Config,
    detector: Detector,
    label_map: LabelMap,
) -> None:
    """Gives a loaded detector the re-estimated statistics that its config asks for.

    Those of the file are used if the config asks for them as that of the checkpoint
    does; else they are measured.

    Args:
        folder: The checkpoint.
        saved: Its config.
        config: The config with overrides.
        detector: With the weights that are evaluated.
        label_map: The classes.

    Raises:
        CheckpointError: The file is damaged, or does not fit the detector.
        ConfigError: The training data is needed, and cannot be read.
    """
    number = options(config).recalibrate_batch_norm
    if not number:
        return
    variables = detector.named_variables()
    file = folder / BATCH_NORM
    if file.is_file() and _wanted(saved) == _wanted(config):
        load_into({name: variables[name] for name in moving_statistics(detector)}, file)
        return
    for name, value in _measure(config, detector, label_map, number).items():
        variables[name].assign(value)


def measure(
    statistics: BatchStatistics, pipeline: Any, number: int
) -> dict[str, np.ndarray]:
    """Measures statistics with the next batches of a pipeline, showing the progress."""
    batches = itertools.islice(iter(pipeline), number)
    what = "re-estimating batch statistics"
    pads = getattr(pipeline, "pads", True)
    found = statistics.measure(track(batches, what, number), pads)
    norms = counted(len(statistics.norms), "batch norm")
    of = counted(number, "batch", "batches")
    console().print(
        f"Re-estimated the statistics of {norms} from {of} of training data"
    )
    return found


def _wanted(config: Config) -> tuple[int, bool]:
    """Returns what the statistics of a checkpoint depend on."""
    averages = config.eval_config.use_moving_averages
    return options(config).recalibrate_batch_norm, averages


def _measure(
    config: Config, detector: Detector, label_map: LabelMap, number: int
) -> dict[str, np.ndarray]:
    from odapi.build.dataset import build_train_dataset

    statistics = BatchStatistics(detector)
    if not statistics.norms:
        console().print(f"note: {OPTION} has no effect: no batch norm is trained")
        return {}
    try:
        with build_train_dataset(config, label_map=label_map) as pipeline:
            pipeline.select_fields(detector.groundtruth_fields)
            return measure(statistics, pipeline, number)
    except (ConfigError, DataError) as error:
        raise ConfigError(
            OPTION,
            f"is {number}, which needs the training data, but that cannot be read: "
            f"{error.place}: {error.problem}",
            hint="name the data by --set options.train_data=SPEC, such as coco:PATH, "
            f"or use the statistics of the training: --set {OPTION}=0",
        ) from error
