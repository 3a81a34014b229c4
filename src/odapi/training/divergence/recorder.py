"""Keeps what is needed to save a step that diverges, as it was before the step."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from odapi.checkpoints.weights import values
from odapi.errors import OdapiError
from odapi.losses.names import TOTAL_LOSS
from odapi.models.detector import Detector
from odapi.runtime.compat import RunningValues, sync_variables
from odapi.training.divergence import saved_step
from odapi.training.divergence.finite_updates import skip_non_finite
from odapi.training.divergence.saved_step import SavedStep
from odapi.training.run_state import RunState

# Growth of the loss since the first step from which on all variables are copied before
# every step: such a training is about to diverge, or recovers within a few steps.
_SUSPICIOUS = 20.0


class StepRecorder:
    """Knows the state before the current step, and saves it if the step diverges.

    The optimizer leaves out the update of a step with a NaN or infinite gradient, see
    `skip_non_finite`: weights, slots and averages need no copy. Of the variables that
    the forward pass changes, those of random layers, a few numbers, are copied before
    every step; moving statistics of batch norms are not, since no training step reads
    them. A loss that explodes in finite numbers grows over some steps; above
    `_SUSPICIOUS` times the first one, all variables are copied before every step.

    Args:
        state: State of the run.
        model_dir: Folder of the run.
        detector, optimizer: Built.
        write_metadata: Writes config and label map into a folder.
    """

    def __init__(
        self,
        state: RunState,
        model_dir: pathlib.Path,
        detector: Detector,
        optimizer: keras.optimizers.Optimizer,
        write_metadata: Callable[[pathlib.Path], None],
    ):
        self._state, self._model_dir = state, model_dir
        self._detector, self._optimizer = detector, optimizer
        self._write_metadata = write_metadata
        strategy = getattr(detector, "distribute_strategy", None)
        replicas = getattr(strategy, "num_replicas_in_sync", 1)
        self._skips = skip_non_finite(optimizer, replicas)
        weights = {id(v) for v in detector.named_variables().values()}
        self._random = [v for v in detector.variables if id(v) not in weights]
        updates = getattr(optimizer, "inner_optimizer", optimizer).iterations
        self._small = RunningValues(detector, [*self._random, updates])
        self._before: list[np.ndarray] = []
        self._all_before: Mapping[str, np.ndarray] | None = None
        self._position: Any = state.data_position

    def before_step(self) -> None:
        """Copies what the next step changes and what is not kept otherwise."""
        state = self._state
        self._before = self._small.read()
        self._position = state.data_position
        self._all_before = None
        limit = _SUSPICIOUS * max(state.reference_loss or 0.0, 1.0)
        if state.losses.get(TOTAL_LOSS, 0.0) > limit:
            sync_variables(self._detector)
            self._all_before = values(self._all())

    def was_skipped(self) -> bool:
        """Returns True if the update was left out for a NaN or infinite gradient.

        With a scaled loss, that is no mistake: the scale was too high.
        """
        return self._skips and self._is_unchanged()

    def _is_unchanged(self) -> bool:
        if not self._before:
            return False
        return bool(self._small.read()[-1] == self._before[-1])

    def save(self, problem: str) -> str:
        """Writes the folder of the step.

        Returns:
            A sentence for the user: how to repeat the step, or why it is not saved.
        """
        state = self._state
        if state.batch is None:
            return ""
        sync_variables(self._detector)
        unchanged = self._restore()
        saved = SavedStep(
            state.step,
            dict(state.losses),
            problem,
            state.batch.image_ids,
            state.learning_rate,
            keras.backend.backend(),
            unchanged,
        )
        facts = {**state.facts(), "step": state.step - 1, "data": self._position}
        try:
            folder = saved_step.write(
                self._model_dir,
                saved,
                (state.batch.inputs, state.batch.groundtruth),
                (self._detector, self._optimizer, facts),
                self._write_metadata,
            )
        except OdapiError as error:
            return f"the step could not be saved to repeat it: {error.problem}"
        return f"to see where it begins: odapi train --replay {folder}"

    def _restore(self) -> bool:
        """Gives variables the values from before the step; returns whether all have."""
        unchanged = self._is_unchanged()
        for variable, value in zip(self._random, self._before, strict=False):
            variable.assign(value)
        if self._all_before is not None:
            for name, variable in self._all().items():
                variable.assign(self._all_before[name])
            return True
        return unchanged

    def _all(self) -> dict[str, keras.Variable]:
        variables = [*self._detector.variables, *self._optimizer.variables]
        return {str(i): v for i, v in enumerate(variables)}
