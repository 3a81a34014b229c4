"""The trackers of a run: TensorBoard, those of the config, and those of the user."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras

from odapi.build.tracker_settings import tracker_settings
from odapi.checkpoints import folder as folders
from odapi.config.load import Config
from odapi.data.image.decode import decode_image
from odapi.evaluation.config_trackers import (
    close_all,
    experiment_of,
    log_start,
    service_trackers,
    user_trackers,
)
from odapi.report.curves import FILE as CURVES
from odapi.trackers.queued import QueuedTracker
from odapi.trackers.tensorboard import TensorBoard
from odapi.trackers.tracker import CombinedTracker, PrefixedTracker, Tracker
from odapi.training.messages import print_lines
from odapi.training.plan import Outcome
from odapi.training.run_state import INTERRUPTED


class RunTrackers:
    """Trackers of training and of evaluation; a context that closes them.

    TensorBoard has one folder for each, with the names of the TF Object Detection API.
    The others get the same values under names with "train/" and "eval/".

    Args:
        config: Its `options.trackers` turn trackers on.
        model_dir: Folder of the run.
        trackers: Trackers of the user.

    Attributes:
        train: Records losses and input images.
        eval: Records metrics, losses and detections.

    Raises:
        ConfigError: A tracker lacks a method.
        MissingPackageError: The package of a tracker is not installed.
    """

    def __init__(
        self, config: Config, model_dir: pathlib.Path, trackers: Sequence[Tracker]
    ):
        warn = _once(print_lines)
        self._model_dir, self._settings = model_dir, tracker_settings(config)
        experiment = experiment_of(
            self._settings,
            model_dir.resolve().name,
            folder=model_dir,
            is_resumed=folders.latest(model_dir) is not None,
        )
        users = service_trackers(self._settings, experiment, warn)
        users += user_trackers(self._settings, trackers, print_lines)
        boards = self._boards(warn)
        self._queues = [*boards, *users]
        self.train, self.eval = (
            CombinedTracker(
                [*boards[n : n + 1], *(PrefixedTracker(t, p) for t in users)]
            )
            for n, p in enumerate(("train/", "eval/"))
        )
        self._once = CombinedTracker([*boards[:1], *users])
        self._users = CombinedTracker(users)

    @classmethod
    def none(cls) -> "RunTrackers":
        """Returns trackers that record nothing, of a process that writes nothing."""
        trackers = cls.__new__(cls)
        nothing = CombinedTracker([])
        trackers.train = trackers.eval = trackers._once = trackers._users = nothing
        trackers._queues = []
        return trackers

    def log_config(self, config: Config) -> None:
        """Records the config, the code and the packages of the run."""
        log_start(self._once, config)

    def log_results(self, outcome: Outcome) -> None:
        """Records curves and checkpoints at the end of a call.

        The checkpoints of an interrupted run, which is to be resumed, are left out.
        """
        curves = self._model_dir / CURVES
        if curves.is_file():
            image = decode_image(curves.read_bytes(), str(curves))
            self._users.images(outcome.step, "curves", [image])
            self._users.artifact(CURVES, curves)
        if not self._settings.has_checkpoints or outcome.reason == INTERRUPTED:
            return
        for name, find in (("best", folders.best), ("last", folders.latest)):
            checkpoint = find(self._model_dir)
            if checkpoint is not None:
                self._users.artifact(f"checkpoint_{name}", checkpoint)

    def __enter__(self) -> "RunTrackers":
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        close_all(self._queues, error)

    def _boards(self, warn: Callable[[str], None]) -> list[QueuedTracker]:
        settings = self._settings
        if not settings.has_tensorboard:
            return []
        return [
            _tensorboard(self._model_dir / part, warn, settings.close_seconds)
            for part in ("train", "eval")
        ]


class LogConfig(keras.callbacks.Callback):
    """Records the config where training begins: a run that is refused gets no record.

    Args:
        trackers: Trackers of the run.
        config: Its config.
    """

    def __init__(self, trackers: RunTrackers, config: Config):
        super().__init__()
        self._trackers, self._config = trackers, config

    def on_train_begin(self, logs: Any = None) -> None:
        """Records the config."""
        self._trackers.log_config(self._config)


def _tensorboard(
    folder: pathlib.Path, warn: Callable[[str], None], close_seconds: float
) -> QueuedTracker:
    return QueuedTracker(
        lambda: TensorBoard(folder), warn, "TensorBoard", close_seconds
    )


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Returns a function that passes each text on to `warn` once."""
    return functools.lru_cache(maxsize=None)(warn)
