"""Evaluates the detector during a training, and selects the best checkpoint."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from odapi.models.detector import Detector
from odapi.optim.ema import averaged
from odapi.report.history import History
from odapi.runtime.compat import sync_variables
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.interrupts import Interrupts
from odapi.training.callbacks.checkpoint import Checkpoint
from odapi.training.callbacks.progress import Display
from odapi.training.run_state import INTERRUPTED, RunState

# (detector, step) -> metrics by name.
EvaluateFunction = Callable[[Detector, int], dict[str, float]]


_SINGLE = Strategy()


class Evaluate(keras.callbacks.Callback):
    """Evaluates every `plan.evaluate_every` steps and at the end of the run.

    Args:
        state: State of the run.
        function: Evaluates a detector with the weights that it has.
        checkpoint: Has saved the step that is evaluated, and its batch statistics.
        history: Writes `metrics.jsonl`.
        display: Shows the best metric.
        interrupts: Lets a signal interrupt an evaluation.
        strategy: The devices; the evaluation runs on one of each process.
    """

    def __init__(
        self,
        state: RunState,
        function: EvaluateFunction,
        checkpoint: Checkpoint,
        history: History,
        display: Display,
        interrupts: Interrupts,
        strategy: Strategy = _SINGLE,
    ):
        super().__init__()
        self.state, self.history = state, history
        self._strategy = strategy
        self._function, self._checkpoint = function, checkpoint
        self._display, self._interrupts = display, interrupts

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Evaluates if an evaluation is due."""
        if not self.state.is_ending and self.state.is_due(
            self.state.plan.evaluate_every
        ):
            self._evaluate()

    def on_train_end(self, logs: Any = None) -> None:
        """Evaluates the last step, unless it was evaluated or a signal ended it."""
        state = self.state
        if state.outcome.reason == INTERRUPTED:
            return
        known = self.history.at(state.step)
        if known is None:
            self._evaluate()
        else:
            state.outcome.metrics = known

    def catch_up(self) -> None:
        """Evaluates the step that is resumed, if a kill prevented that."""
        state = self.state
        is_due = state.is_due(state.plan.evaluate_every) and not state.is_ending
        if state.outcome.resumed and is_due and self.history.at(state.step) is None:
            self._display.note(
                f"The evaluation of step {state.step} was interrupted; it is made now"
            )
            self._evaluate()

    def _evaluate(self) -> None:
        self._display.pause()
        sync_variables(self.model)
        try:
            with self._interruptible(), self._evaluated_weights():
                metrics = self._function(self.model, self.state.step)
        except KeyboardInterrupt:
            if self._interrupts.aborted:
                raise
            self.state.end(self.model, INTERRUPTED)
            return
        self._record(metrics)

    def _interruptible(self) -> contextlib.AbstractContextManager[None]:
        """Lets a signal raise; several processes agree on when it does."""
        if self._strategy.num_processes > 1:
            return contextlib.nullcontext()
        return self._interrupts.interruptible()

    @contextlib.contextmanager
    def _evaluated_weights(self) -> Iterator[None]:
        """Gives the model the weights and batch statistics that are evaluated."""
        optimizer = self.model.optimizer if self.state.plan.average else None
        with contextlib.ExitStack() as stack:
            if recalibration := self._checkpoint.recalibration:
                stack.enter_context(recalibration.used(self.state.step, optimizer))
            if optimizer is not None:
                stack.enter_context(averaged(optimizer))
            stack.enter_context(self._strategy.local(self.model))
            yield

    def _record(self, metrics: dict[str, float]) -> None:
        state, name = self.state, self.state.plan.best_metric
        state.outcome.metrics, state.evaluated_step = metrics, state.step
        with self._checkpoint.tolerating():
            self.history.add(state.step, metrics)
        best_step, value, _ = self.history.best(name, state.plan.min_delta)
        is_best = best_step == state.step == self._checkpoint.saved_step
        if is_best:
            with self._checkpoint.tolerating():
                self._checkpoint.mark_best(name, value)
        if name in metrics:
            best = "best so far" if is_best else f"best {value:.4f} at step {best_step}"
            self._display.note(
                f"step {state.step}  {name} {metrics[name]:.4f} ({best})"
            )
