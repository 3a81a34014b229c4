"""Parts of a run that differ between the processes that train together."""

import contextlib
import pathlib
from collections.abc import Sequence

from odapi.checkpoints.run_lock import locked
from odapi.config.load import Config
from odapi.data.loader.pipeline import Pipeline
from odapi.data.loader.sharded import training_share
from odapi.runtime.distribution.strategy import Strategy
from odapi.trackers.tracker import Tracker
from odapi.training.messages import print_lines
from odapi.training.run_trackers import RunTrackers


def lock_of(
    folder: pathlib.Path, strategy: Strategy
) -> contextlib.AbstractContextManager[None]:
    """Returns the lock of the folder, which process 0 holds for all."""
    if strategy.is_chief:
        return locked(folder, print_lines)
    return contextlib.nullcontext()


def trackers_of(
    config: Config,
    folder: pathlib.Path,
    trackers: Sequence[Tracker],
    strategy: Strategy,
) -> RunTrackers:
    """Returns the trackers of the run; none in other processes than 0."""
    if strategy.is_chief:
        return RunTrackers(config, folder, trackers)
    return RunTrackers.none()


def share_of(pipeline: Pipeline, strategy: Strategy) -> Pipeline:
    """Returns the pipeline of the rows of each batch that this process loads."""
    if strategy.num_processes == 1:
        return pipeline
    return training_share(pipeline, strategy.process_id, strategy.num_processes)
