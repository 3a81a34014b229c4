"""Re-estimated batch statistics of a training, for checkpoints and evaluations."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from odapi.checkpoints.batch_norm import OPTION, measure
from odapi.models.batch_statistics import BatchStatistics, replaced
from odapi.models.detector import Detector
from odapi.optim.ema import averaged
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.messages import print_lines

_SINGLE = Strategy()


class Recalibration:
    """Measures the batch statistics of the weights that are evaluated.

    The training keeps its own moving statistics. Every measurement reads the
    first batches of the training data, so that a run that is resumed measures the same.

    Args:
        detector: The detector that is trained.
        number: Number of batches.
        first_batches: Returns a pipeline of training batches at their beginning.
        strategy: The devices; one of them measures.

    Attributes:
        pause: Called before progress is shown.
    """

    pause: Callable[[], None] | None = None

    def __init__(
        self,
        detector: Detector,
        number: int,
        first_batches: Callable[[], Any],
        strategy: Strategy = _SINGLE,
    ):
        self._detector, self._number = detector, number
        self._first_batches, self._strategy = first_batches, strategy
        self._statistics = BatchStatistics(detector)
        self._step: int | None = None
        self._found: dict[str, np.ndarray] = {}
        if not self._statistics.norms:
            print_lines(f"note: {OPTION} has no effect: no batch norm is trained")

    def measured(
        self, step: int, averages_of: keras.optimizers.Optimizer | None = None
    ) -> dict[str, np.ndarray]:
        """Returns the statistics of a step by variable; measures once per step.

        Args:
            step: The current step.
            averages_of: The optimizer with the averages that are evaluated; None: the
                weights themselves are.
        """
        if self._step != step and self._statistics.norms:
            weights: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
            if averages_of is not None:
                weights = averaged(averages_of)
            if self.pause is not None:
                self.pause()
            pipeline = self._first_batches()
            try:
                with weights, self._strategy.local(self._detector):
                    self._found = self._strategy.on_chief(
                        lambda: measure(self._statistics, pipeline, self._number)
                    )
            finally:
                pipeline.close()
            self._step = step
        return self._found

    def used(
        self, step: int, averages_of: keras.optimizers.Optimizer | None = None
    ) -> contextlib.AbstractContextManager[None]:
        """Returns a context in which the detector has the statistics of a step."""
        return replaced(self._detector, self.measured(step, averages_of))
