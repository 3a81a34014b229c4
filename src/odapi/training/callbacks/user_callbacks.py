"""Calls the Keras callbacks that a user passes to `odapi.train`.

Their epochs are not those of `fit`: an epoch is the stretch between two evaluations
(`options.evaluation.every_n_steps` steps; the whole training if it is 0), so that
`on_epoch_end` sees the metrics of the evaluation that ends the epoch.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from odapi.losses.names import TOTAL_LOSS
from odapi.report.history import LEARNING_RATE
from odapi.runtime.compat import sync_variables
from odapi.training.run_state import CALLBACK, RunState
from odapi.training.step_losses import RunningMean


class UserCallbacks(keras.callbacks.Callback):
    """Passes the events of a run on to callbacks, with epochs between evaluations.

    It must be the last callback: it runs after evaluation and saving.

    Args:
        state: State of the run.
        callbacks: The user's callbacks, called in this order.
        is_alone: False if other processes train too: a callback that ends the run in
            one of them ends it in all after the next step.
    """

    def __init__(
        self,
        state: RunState,
        callbacks: Sequence[keras.callbacks.Callback],
        is_alone: bool = True,
    ):
        super().__init__()
        self._is_alone = is_alone
        self.state, self.callbacks = state, list(callbacks)
        self._means = RunningMean()
        self._epoch: int | None = None  # None: no epoch has begun.
        self._epoch_logs: dict[str, float] = {}

    def set_model(self, model: keras.Model) -> None:
        """Passes the model on."""
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: Any) -> None:
        """Passes on the number of epochs and their steps."""
        super().set_params(params)
        plan = self.state.plan
        epochs = -(-plan.num_steps // plan.epoch_steps)
        steps = min(plan.epoch_steps, plan.num_steps)
        for callback in self.callbacks:
            callback.set_params({"verbose": 0, "epochs": epochs, "steps": steps})

    def on_train_begin(self, logs: Any = None) -> None:
        """Passes the event on."""
        self._call("on_train_begin")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Passes the event on; begins an epoch if none has begun."""
        epoch, step = divmod(self.state.step, self.state.plan.epoch_steps)
        if self._epoch is None:
            self._epoch = epoch
            self._call("on_epoch_begin", epoch)
        self._call("on_train_batch_begin", step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Passes on the losses of the step; ends the epoch after its last step."""
        state = self.state
        self._means.add(state.losses)
        step = (state.step - 1) % state.plan.epoch_steps
        self._call("on_train_batch_end", step, _with_loss(state.losses))
        if not state.is_ending and state.is_due(state.plan.epoch_steps):
            self._end_epoch()
        if self.model.stop_training and not state.is_ending:
            if self._is_alone:
                state.end(self.model, CALLBACK)
            else:
                state.wanted_end, self.model.stop_training = CALLBACK, False

    def on_train_end(self, logs: Any = None) -> None:
        """Ends the last epoch, then passes the event on."""
        self._end_epoch()
        sync_variables(self.model)
        self._call("on_train_end", self._epoch_logs)

    def _end_epoch(self) -> None:
        if self._epoch is None:
            return
        state, logs = self.state, _with_loss(self._means.take())
        logs[LEARNING_RATE] = state.learning_rate
        if state.evaluated_step == state.step:
            logs |= _validation_logs(state.outcome.metrics)
        sync_variables(self.model)
        self._call("on_epoch_end", self._epoch, logs)
        self._epoch, self._epoch_logs = None, logs

    def _call(self, event: str, *arguments: Any) -> None:
        for index, callback in enumerate(self.callbacks):
            with self._named(index, callback, event):
                getattr(callback, event)(*arguments)

    @contextlib.contextmanager
    def _named(
        self, index: int, callback: keras.callbacks.Callback, event: str
    ) -> Iterator[None]:
        """Adds the name of the callback to its errors."""
        try:
            yield
        except Exception as error:
            name = f"callbacks[{index}] ({type(callback).__name__})"
            error.add_note(f"raised by {name} in {event} at step {self.state.step}")
            raise


def _with_loss(losses: Mapping[str, float]) -> dict[str, float]:
    """Returns the losses, and their total under the name that Keras gives it."""
    return {"loss": losses.get(TOTAL_LOSS, 0.0), **losses}


def _validation_logs(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns metrics by their names, and losses of the evaluation as `val_...`."""
    logs = {f"val_{n}" if n.startswith("Loss/") else n: v for n, v in metrics.items()}
    if TOTAL_LOSS in metrics:
        logs["val_loss"] = metrics[TOTAL_LOSS]
    return logs
