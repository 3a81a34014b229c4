"""A tracker whose failures never stop a run."""

import errno
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from odapi.trackers.tracker import Parameter, Tracker

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MAX_LENGTH = 300  # Of an error in a warning; clients of servers quote whole pages.


class FailSafeTracker:
    """Passes calls on to a tracker until one fails; warns once and is off then.

    Optional methods that the tracker lacks do nothing. On a full disk it stays on: what
    cannot be written is left out, with one warning.

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
        self._pass_on("scalars", step, values)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images `[h, w, 3]` uint8 under a name."""
        self._pass_on("images", step, tag, images)

    def text(self, tag: str, text: str) -> None:
        """Records a text under a name."""
        self._pass_on("text", tag, text)

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records hyperparameters by name."""
        self._pass_on("parameters", values)

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows under a name."""
        self._pass_on("table", step, tag, rows)

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder."""
        self._pass_on("artifact", name, path)

    def failed(self, reason: str) -> None:
        """Marks the run as failed."""
        self._pass_on("failed", reason)

    def close(self) -> None:
        """Writes what is pending."""
        self._pass_on("close")

    def _pass_on(self, method: str, *args: Any) -> None:
        function = getattr(self._tracker, method, None)
        if callable(function):
            self._call("close" if method == "close" else "write", function, *args)

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
                    "The run continues; later values are tried again."
                )
        except Exception as error:
            self._turn_off(action, error)

    def _turn_off(self, action: str, error: Exception) -> None:
        self._tracker = None
        reason = " ".join(str(error).split())
        if len(reason) > _MAX_LENGTH:
            reason = f"{reason[:_MAX_LENGTH]} ..."
        self._warn(
            f"warning: {self._name} could not {action} and is off: "
            f"{type(error).__name__}: {reason}. The run continues."
        )
