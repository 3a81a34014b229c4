"""The one progress display: a live bar on a terminal, a line now and then in a log."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from odapi.progress import console, duration

_LOG_STEPS, _LOG_SECONDS, _LOG_AT_MOST = 100, 30.0, 2.0
_REFRESH = 0.1  # Seconds between updates of the bar.


class Reading(NamedTuple):
    """What is shown of the last steps."""

    losses: Mapping[str, float]  # By the original's names; means of these steps.
    learning_rate: float
    images_per_second: float
    waiting: float  # Share of the time waiting for data, 0 to 1.
    seconds_left: float

    @property
    def numbers(self) -> str:
        """Losses and learning rate."""
        losses = "  ".join(f"{name} {v:.4g}" for name, v in self.losses.items())
        return f"{losses}  learning_rate {self.learning_rate:.4g}"

    @property
    def speed(self) -> str:
        """Speed and time left; "" at the first step, which says nothing about it."""
        if not self.images_per_second:
            return ""
        return (
            f"{self.images_per_second:.1f} images/s  "
            f"data wait {self.waiting:.0%}  {duration(self.seconds_left)} left"
        )


class Display:
    """Shows how far a training is.

    Args:
        total: Number of the last step.
    """

    def __init__(self, total: int):
        self.total = total
        self._console = console()
        # Log files need whole lines; on a terminal they would be cut off.
        self._console.soft_wrap = not self._console.is_terminal
        self._bar: Any = None
        self._shown = self._shown_step = 0.0

    def due(self, step: int) -> bool:
        """Tells whether `show` would show something: readings cost some work."""
        since = time.monotonic() - self._shown
        if self._console.is_terminal:
            return since >= _REFRESH or step == self.total
        steps = step - self._shown_step
        return (
            not self._shown
            or (steps >= _LOG_STEPS and since >= _LOG_AT_MOST)
            or since >= _LOG_SECONDS
            or step == self.total
        )

    def show(self, step: int, reading: Reading) -> None:
        """Shows a step with its reading."""
        self._shown, self._shown_step = time.monotonic(), step
        if not self._console.is_terminal:
            line = f"step {step} of {self.total}  {reading.numbers}  {reading.speed}"
            self._console.print(line.rstrip(), markup=False)
            return
        if self._bar is None:
            self._bar = _live(self._console)
            self._bar.start()
        self._bar.update(_lines(step, self.total, reading))

    def note(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, markup=False)

    def pause(self) -> None:
        """Takes the bar away, while something else shows its own."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _live(shown_on: Any) -> Any:
    from rich.live import Live

    return Live(console=shown_on, transient=True, refresh_per_second=1 / _REFRESH)


def _lines(step: int, total: int, reading: Reading) -> Any:
    """A line with the bar, and below it as many as the numbers take."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    top = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=total, completed=step, width=12)
    top.add_row(f"step {step} of {total}", bar, reading.speed)
    return Group(top, Text(reading.numbers))
