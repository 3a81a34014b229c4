"""A tracker that fails never stops a run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Tracker(Protocol):
    """Takes what is worth looking at later."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Takes numbers by their tags."""

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Takes pictures `[h, w, 3]` uint8."""

    def close(self) -> None:
        """Writes what is left."""


class FailSafeTracker:
    """Passes calls on to a tracker until one fails, then says so once.

    Args:
        make: Makes the tracker; may fail, too.
        warn: Gets the warning.
    """

    def __init__(self, make: Callable[[], Tracker], warn: Callable[[str], None]):
        self._warn = warn
        self._tracker: Tracker | None = None
        self._call("start", lambda: setattr(self, "_tracker", make()))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Takes numbers by their tags."""
        if self._tracker:
            self._call("write", self._tracker.scalars, step, values)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Takes pictures `[h, w, 3]` uint8."""
        if self._tracker:
            self._call("write", self._tracker.images, step, tag, images)

    def close(self) -> None:
        """Writes what is left."""
        if self._tracker:
            self._call("close", self._tracker.close)

    def _call(self, what: str, function: Callable, *args: Any) -> None:
        try:
            function(*args)
        except Exception as error:
            self._tracker = None
            self._warn(
                f"warning: tracking could not {what} and is off: "
                f"{type(error).__name__}: {error}. Training goes on."
            )
