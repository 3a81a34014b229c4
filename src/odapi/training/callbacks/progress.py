"""Progress display: live on a terminal and in a notebook, some lines in a log file."""

import contextlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from odapi.console import console
from odapi.notebook import NotebookText, in_notebook
from odapi.progress import NOTEBOOK_SECONDS, duration
from odapi.training.run_state import RunState
from odapi.training.step_losses import RunningMean

# In a log file: a line after so many steps, at least and at most so many seconds apart.
_LOG_STEPS, _MIN_LOG_SECONDS, _MAX_LOG_SECONDS = 100, 2.0, 30.0
_REFRESH_SECONDS = 0.1  # Between updates of the bar.


class StepStats(NamedTuple):
    """Numbers of the last steps, as they are shown."""

    losses: Mapping[str, float]  # Means over these steps, by the original's names.
    learning_rate: float
    images_per_second: float
    waiting: float  # Share of the time spent waiting for data, 0 to 1.
    seconds_left: float

    @property
    def numbers(self) -> str:
        """Losses and learning rate."""
        losses = "  ".join(f"{name} {v:.4g}" for name, v in self.losses.items())
        return f"{losses}  learning_rate {self.learning_rate:.4g}"

    @property
    def speed(self) -> str:
        """Speed and remaining time; "" at the first step, which has no speed yet."""
        if not self.images_per_second:
            return ""
        return (
            f"{self.images_per_second:.1f} images/s  "
            f"data wait {self.waiting:.0%}  {duration(self.seconds_left)} left"
        )


class Display:
    """Shows the progress of a training.

    Args:
        num_steps: Number of the last step.
    """

    def __init__(self, num_steps: int):
        self.num_steps = num_steps
        self._console = console()
        # Log files need whole lines; on a terminal they would be cut off.
        self._console.soft_wrap = not self._console.is_terminal
        self._bar: Any = None
        self._notebook = NotebookText() if in_notebook() else None
        self._shown_at = self._shown_step = 0.0

    def is_due(self, step: int) -> bool:
        """Returns True if `show` should be called: its numbers cost some work."""
        elapsed = time.monotonic() - self._shown_at
        if self._notebook or self._console.is_terminal:
            every = NOTEBOOK_SECONDS if self._notebook else _REFRESH_SECONDS
            return elapsed >= every or step == self.num_steps
        steps = step - self._shown_step
        return (
            not self._shown_at
            or (steps >= _LOG_STEPS and elapsed >= _MIN_LOG_SECONDS)
            or elapsed >= _MAX_LOG_SECONDS
            or step == self.num_steps
        )

    def show(self, step: int, stats: StepStats) -> None:
        """Shows the numbers of a step."""
        self._shown_at, self._shown_step = time.monotonic(), step
        if self._notebook:
            top = f"step {step} of {self.num_steps}  {stats.speed}".rstrip()
            self._notebook.show(f"{top}\n{stats.numbers}")
            return
        if not self._console.is_terminal:
            line = f"step {step} of {self.num_steps}  {stats.numbers}  {stats.speed}"
            self.note(line.rstrip())
            return
        if self._bar is None:
            self._bar = _live(self._console)
            self._bar.start()
        self._bar.update(_lines(step, self.num_steps, stats))

    def note(self, *texts: str) -> None:
        """Prints each text as lines above the bar."""
        with contextlib.suppress(OSError):  # A log file on a full disk.
            for text in texts:
                self._console.print(text)

    def pause(self) -> None:
        """Removes the bar while something else shows its own."""
        if self._notebook:
            self._notebook.clear()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Progress(keras.callbacks.Callback):
    """Shows mean losses, learning rate, speed and remaining time.

    Args:
        state: State of the run.
        display: Where they are shown.
    """

    def __init__(self, state: RunState, display: Display):
        super().__init__()
        self.state, self.display = state, display
        self._means = RunningMean()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds the losses of the step; shows the means when they are due."""
        state, meter = self.state, self.state.meter
        self._means.add(state.losses)
        if not self.display.is_due(state.step):
            return
        state.outcome.losses = self._means.take()
        steps_left = state.plan.num_steps - state.step
        stats = StepStats(
            losses=state.outcome.losses,
            learning_rate=state.learning_rate,
            images_per_second=meter.images_per_second,
            waiting=meter.waiting,
            seconds_left=steps_left * meter.seconds_per_step,
        )
        self.display.show(state.step, stats)

    def on_train_end(self, logs: Any = None) -> None:
        """Removes the bar."""
        self.display.pause()


def _live(shown_on: Any) -> Any:
    from rich.live import Live

    return Live(
        console=shown_on, transient=True, refresh_per_second=1 / _REFRESH_SECONDS
    )


def _lines(step: int, num_steps: int, stats: StepStats) -> Any:
    """Returns a line with the bar, and the losses below it."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    top = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=num_steps, completed=step, width=12)
    top.add_row(f"step {step} of {num_steps}", bar, stats.speed)
    return Group(top, Text(stats.numbers))
