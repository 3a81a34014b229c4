"""The protocol of experiment trackers, and the combination of several."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np


class Tracker(Protocol):
    """Records scalars, images and texts of a run, such as TensorBoard does."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars by name."""

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name, such as the config of the run."""

    def close(self) -> None:
        """Writes what is pending; called once, at the end of the run."""


class PrefixedTracker:
    """Passes everything on to a tracker under names with a prefix.

    Closing is left to the owner of the tracker.

    Args:
        tracker: The tracker.
        prefix: Put before each name, such as "train/".
    """

    def __init__(self, tracker: Tracker, prefix: str):
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

    def close(self) -> None:
        """Does nothing: others may still use the tracker."""


class CombinedTracker:
    """Passes everything on to several trackers, in their order.

    Args:
        trackers: The trackers; none of them may raise, see `FailSafeTracker`.
    """

    def __init__(self, trackers: Sequence[Tracker]):
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

    def close(self) -> None:
        """Closes all trackers."""
        for tracker in self._trackers:
            tracker.close()
