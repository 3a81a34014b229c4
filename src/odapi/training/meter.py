"""Measures a training: losses step by step, speed, and the wait for data."""

import time
from collections.abc import Mapping

from odapi.losses.names import TOTAL_LOSS


class StepLosses:
    """Takes the losses of single steps out of the running means that `fit` reports.

    `fit` starts its means anew every epoch, so epochs here are short: the
    difference of two means of thousands of steps would be noise.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._sums: dict[str, float] = {}

    def restart(self) -> None:
        """Call it when `fit` starts its means anew."""
        self._steps, self._sums = 0, {}

    def of_step(self, means: Mapping[str, float]) -> dict[str, float]:
        """Returns the losses of the step that was just done, the total last."""
        self._steps += 1
        sums = {name: float(mean) * self._steps for name, mean in means.items()}
        step = {n: s - self._sums.get(n, 0.0) for n, s in sums.items()}
        self._sums = sums
        total = step.pop("loss", 0.0)
        return {n: v for n, v in step.items() if n != TOTAL_LOSS} | {TOTAL_LOSS: total}


class Mean:
    """Means of losses over steps."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = 0

    def add(self, losses: Mapping[str, float]) -> None:
        """Takes in one step."""
        self._steps += 1
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """Returns the means since the last call."""
        means = {n: s / max(self._steps, 1) for n, s in self._sums.items()}
        self._sums, self._steps = {}, 0
        return means


class Clock:
    """Time of the steps alone: evaluation, saving and the first step do not count.

    The first step compiles; with it, speed and time left would be wrong for long.
    """

    def __init__(self) -> None:
        self.seconds = 0.0  # Of all counted steps.
        self.steps = self.images = 0
        self.total_seconds = 0.0  # With the first step.
        self.waited = 0.0
        self._free = time.monotonic()
        self._recent: list[float] = []
        self._first = True

    def step_done(self, ready: float, images: int) -> None:
        """Takes in a step; `ready` is when its batch was there (time.monotonic)."""
        now = time.monotonic()
        took = now - self._free
        self.total_seconds += took
        if not self._first:
            self.seconds += took
            self.steps += 1
            self.images += images
            self.waited += min(max(0.0, ready - self._free), took)
            self._recent = [*self._recent[-49:], took]
        self._first = False
        self._free = now

    def go_on(self) -> None:
        """Call it when the next step may start, after whatever came between."""
        self._free = time.monotonic()

    @property
    def seconds_per_step(self) -> float:
        """Of the last steps; 0 before there are any."""
        return sum(self._recent) / len(self._recent) if self._recent else 0.0

    @property
    def images_per_second(self) -> float:
        """Of all counted steps; 0 before there are any."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def waiting(self) -> float:
        """Share of the counted time in which there was no batch, 0 to 1."""
        return self.waited / self.seconds if self.seconds else 0.0
