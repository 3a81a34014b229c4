"""A tracker whose failures never stop a run."""

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from odapi.trackers.tracker import Tracker

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class FailSafeTracker:
    """Passes calls on to a tracker until one fails; warns once and is off then.

    On a full disk it stays on: what cannot be written is left out, with one warning.

    Args:
        make: Creates the tracker; may fail, too.
        warn: Gets the warning.
        name: Name of the tracker in the warning.
    """

    def __init__(
        self,
        make: Callable[[], Tracker],
        warn: Callable[[str], None],
        name: str = "tracking",
    ):
        self._warn, self._name = warn, name
        self._tracker: Tracker | None = None
        self._has_warned = False
        self._call("start", lambda: setattr(self, "_tracker", make()))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars by name."""
        if self._tracker:
            self._call("write", self._tracker.scalars, step, values)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""
        if self._tracker:
            self._call("write", self._tracker.images, step, tag, images)

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name."""
        if self._tracker:
            self._call("write", self._tracker.text, tag, text)

    def close(self) -> None:
        """Writes what is pending."""
        if self._tracker:
            self._call("close", self._tracker.close)

    def _call(self, action: str, function: Callable, *args: Any) -> None:
        try:
            function(*args)
        except OSError as error:
            if error.errno not in _FULL:
                self._turn_off(action, error)
            elif not self._has_warned:
                self._has_warned = True
                self._warn(
                    f"warning: {self._name} could not {action}: {error.strerror}. "
                    "Training continues; later values are tried again."
                )
        except Exception as error:
            self._turn_off(action, error)

    def _turn_off(self, action: str, error: Exception) -> None:
        self._tracker = None
        self._warn(
            f"warning: {self._name} could not {action} and is off: "
            f"{type(error).__name__}: {error}. Training continues."
        )
