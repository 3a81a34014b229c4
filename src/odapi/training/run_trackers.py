"""The trackers of a run: TensorBoard, and those of the user."""

import functools
import pathlib
from collections.abc import Callable, Sequence

from odapi.config import parse
from odapi.config.load import Config
from odapi.errors import ConfigError
from odapi.trackers.fail_safe import FailSafeTracker
from odapi.trackers.tensorboard import TensorBoard
from odapi.trackers.tracker import CombinedTracker, PrefixedTracker, Tracker
from odapi.training.messages import print_lines

_METHODS = ("scalars", "images", "text", "close")


class RunTrackers:
    """Trackers of training and of evaluation.

    TensorBoard has one folder for each, with the names of the TF Object Detection API.
    Trackers of the user get the same values under names with "train/" and "eval/".

    Args:
        model_dir: Folder of the run.
        trackers: Trackers of the user.

    Attributes:
        train: Records losses and input images.
        eval: Records metrics, losses and detections.

    Raises:
        ConfigError: A tracker lacks a method.
    """

    def __init__(self, model_dir: pathlib.Path, trackers: Sequence[Tracker]):
        users = [_wrapped(index, tracker) for index, tracker in enumerate(trackers)]
        warn = _once(print_lines)
        boards = [_tensorboard(model_dir / part, warn) for part in ("train", "eval")]
        self.train, self.eval = (
            CombinedTracker([board, *(PrefixedTracker(t, prefix) for t in users)])
            for board, prefix in zip(boards, ("train/", "eval/"), strict=True)
        )
        self._all = CombinedTracker([*boards, *users])
        self._users = CombinedTracker(users)

    def log_config(self, config: Config) -> None:
        """Records the config of the run as the text "config"."""
        self._users.text("config", parse.to_text(config))

    def close(self) -> None:
        """Closes all trackers."""
        self._all.close()


def _tensorboard(folder: pathlib.Path, warn: Callable[[str], None]) -> FailSafeTracker:
    return FailSafeTracker(lambda: TensorBoard(folder), warn, "TensorBoard")


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Returns a function that passes each text on to `warn` once."""
    return functools.lru_cache(maxsize=None)(warn)


def _wrapped(index: int, tracker: Tracker) -> FailSafeTracker:
    name = f"trackers[{index}] ({type(tracker).__name__})"
    missing = [m for m in _METHODS if not callable(getattr(tracker, m, None))]
    if missing:
        raise ConfigError(
            name,
            f"has no method {missing[0]}",
            hint=f"a tracker has the methods {', '.join(_METHODS)}; see "
            "odapi.trackers.tracker.Tracker",
        )
    return FailSafeTracker(lambda: tracker, print_lines, name)
