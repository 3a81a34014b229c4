"""The protocol of experiment trackers, and the combination of several."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

METHODS = ("scalars", "images", "text", "close")
OPTIONAL_METHODS = ("parameters", "table", "artifact", "failed")

Parameter = str | int | float | bool


class Tracker(Protocol):
    """Records scalars, images and texts of a run, such as TensorBoard does.

    A tracker may also have methods of `DetailedTracker`. All are called from one
    thread, which is not that of the training, in the order of the records.
    """

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars by name."""

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name, such as the config of the run."""

    def close(self) -> None:
        """Writes what is pending; called once, at the end of the run."""


class DetailedTracker(Tracker, Protocol):
    """A tracker that also records what not every tracker has a place for.

    Each of these methods is optional: a tracker without one does not get its records.
    """

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records hyperparameters by name: fields of the config by their paths."""

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows under a name, such as the metrics per class."""

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder, such as a checkpoint; it may be gone afterwards."""

    def failed(self, reason: str) -> None:
        """Marks the run as failed; called before `close`."""


class PrefixedTracker:
    """Passes everything on to a tracker under names with a prefix.

    Closing is left to the owner of the tracker.

    Args:
        tracker: The tracker; it has the optional methods, too.
        prefix: Put before each name, such as "train/".
    """

    def __init__(self, tracker: DetailedTracker, prefix: str):
        self._tracker, self._prefix = tracker, prefix

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars by name."""
        self._tracker.scalars(
            step, {f"{self._prefix}{n}": v for n, v in values.items()}
        )

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""
        self._tracker.images(step, f"{self._prefix}{tag}", images)

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name."""
        self._tracker.text(f"{self._prefix}{tag}", text)

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records hyperparameters; their names get no prefix."""
        self._tracker.parameters(values)

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows under a name."""
        self._tracker.table(step, f"{self._prefix}{tag}", rows)

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder; its name gets no prefix."""
        self._tracker.artifact(name, path)

    def failed(self, reason: str) -> None:
        """Does nothing: the owner of the tracker reports it."""

    def close(self) -> None:
        """Does nothing: others may still use the tracker."""


class CombinedTracker:
    """Passes everything on to several trackers, in their order.

    Args:
        trackers: The trackers, with the optional methods; none of them may raise, see
            `QueuedTracker`.
    """

    def __init__(self, trackers: Sequence[DetailedTracker]):
        self._trackers = list(trackers)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars by name."""
        for tracker in self._trackers:
            tracker.scalars(step, values)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""
        for tracker in self._trackers:
            tracker.images(step, tag, images)

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name."""
        for tracker in self._trackers:
            tracker.text(tag, text)

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records hyperparameters by name."""
        for tracker in self._trackers:
            tracker.parameters(values)

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows under a name."""
        for tracker in self._trackers:
            tracker.table(step, tag, rows)

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder."""
        for tracker in self._trackers:
            tracker.artifact(name, path)

    def failed(self, reason: str) -> None:
        """Marks the run as failed."""
        for tracker in self._trackers:
            tracker.failed(reason)

    def close(self) -> None:
        """Closes all trackers."""
        for tracker in self._trackers:
            tracker.close()
