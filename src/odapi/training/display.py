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

    def __str__(self) -> str:
        losses = "  ".join(f"{name} {v:.4g}" for name, v in self.losses.items())
        text = f"{losses}  learning_rate {self.learning_rate:.4g}"
        if not self.images_per_second:  # The first step says nothing about speed.
            return text
        return (
            f"{text}  {self.images_per_second:.1f} images/s  "
            f"waiting for data {self.waiting:.0%}  {duration(self.seconds_left)} left"
        )


class Display:
    """Shows how far a training is.

    Args:
        total: Number of the last step.
    """

    def __init__(self, total: int):
        self.total = total
        self._console = console()
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
            self._console.print(f"step {step} of {self.total}  {reading}", markup=False)
            return
        if self._bar is None:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task("training", total=self.total, reading="")
            self._bar.start()
        self._bar.update(self._task, completed=step, reading=str(reading))

    def note(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, markup=False)

    def pause(self) -> None:
        """Takes the bar away, while something else shows its own."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(shown_on: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("step"),
        MofNCompleteColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[reading]}", markup=False),
        console=shown_on,
        transient=True,
    )
