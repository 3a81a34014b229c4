"""Losses of single steps, and means of losses over steps."""

from collections.abc import Mapping

from odapi.losses.names import TOTAL_LOSS


class StepLosses:
    """Recovers the losses of single steps from the running means that `fit` reports.

    `fit` restarts its means at each of its epochs, so these are kept short: the
    difference of two means over thousands of steps would be rounding noise.
    """

    def __init__(self) -> None:
        self._steps = 0
        self._sums: dict[str, float] = {}

    def restart(self) -> None:
        """Call it when `fit` restarts its means."""
        self._steps, self._sums = 0, {}

    def of_step(self, means: Mapping[str, float]) -> dict[str, float]:
        """Returns the losses of the step that has just finished, the total last."""
        self._steps += 1
        sums = {name: float(mean) * self._steps for name, mean in means.items()}
        step = {n: s - self._sums.get(n, 0.0) for n, s in sums.items()}
        self._sums = sums
        total = step.pop("loss", 0.0)
        return {n: v for n, v in step.items() if n != TOTAL_LOSS} | {TOTAL_LOSS: total}


class RunningMean:
    """Means of losses over the steps since the last `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = 0

    def add(self, losses: Mapping[str, float]) -> None:
        """Adds the losses of one step."""
        self._steps += 1
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """Returns the means and starts again."""
        means = {n: s / max(self._steps, 1) for n, s in self._sums.items()}
        self._sums, self._steps = {}, 0
        return means
