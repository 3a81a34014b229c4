"""What happens around every step of `fit`."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from odapi.errors import CheckpointError
from odapi.optim.ema import averaged
from odapi.runtime.compat import sync_variables
from odapi.training.display import Display, Reading
from odapi.training.feed import Fed, Feed
from odapi.training.guard import Guard
from odapi.training.history import History
from odapi.training.meter import Clock, Mean, StepLosses
from odapi.training.pictures import input_pictures
from odapi.training.plan import Outcome, Plan
from odapi.training.saver import Saver
from odapi.training.signals import StopRequest

# (detector, step) -> metrics by name.
Evaluate = Callable[[Any, int], dict[str, float]]


@dataclasses.dataclass
class Parts:
    """What a Supervisor works with."""

    feed: Feed
    saver: Saver
    history: History
    display: Display
    stop: StopRequest
    guard: Guard
    rate_at: Callable[[int], float]  # Learning rate of a step that counts from 0.
    evaluate: Evaluate | None = None
    tracker: Any = None  # Of odapi.trackers; None: none.


class Supervisor(keras.callbacks.Callback):
    """Watches, shows, saves, evaluates and ends a training.

    Args:
        plan: What is to be done.
        parts: What does it.
        start: Steps that earlier runs did.
        seconds: That they took.
    """

    def __init__(self, plan: Plan, parts: Parts, start: int, seconds: float = 0.0):
        super().__init__()
        self.plan, self.parts = plan, parts
        self.outcome = Outcome(step=start, resumed=start > 0)
        self.clock = Clock()
        self._seconds_before = seconds
        self._step_losses = StepLosses()
        self._shown, self._logged = Mean(), Mean()
        self._state = parts.feed.pipeline.get_state()

    @property
    def step(self) -> int:
        """Updates done in all."""
        return self.outcome.step

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self.clock.go_on()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keras starts the means of the losses anew here."""
        self._step_losses.restart()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Does what is due after a step."""
        self.outcome.step += 1
        fed = self.parts.feed.next_done()
        self._state = fed.state
        self.clock.step_done(fed.ready, len(fed.image_ids))
        losses = self._step_losses.of_step(logs or {})
        self._watch(fed, losses)
        self._report(losses)
        if self.step >= self.plan.num_steps:
            self.model.stop_training = True
            return
        if self._due(self.plan.evaluate_every) and self.parts.evaluate:
            self.save()
            self.evaluate()
        elif self._due(self.plan.save_every):
            self.save()
        if self.parts.stop.requested:
            self._end("interrupted")
        self.clock.go_on()

    def save(self, must: bool = False) -> None:
        """Writes a checkpoint; a failure ends the training only if it `must` be.

        Raises:
            CheckpointError: It must be written, and cannot.
            DivergedError: A weight is NaN or infinite.
        """
        facts = {
            "data": self._state,
            "seconds": self._seconds_before + self.clock.total_seconds,
            "reference_loss": self.parts.guard.reference,
        }
        try:
            self.parts.saver.save(self.step, facts, self._rate())
        except CheckpointError as error:
            if must:
                raise
            self.parts.display.note(f"CheckpointError: {error}\nTraining goes on.")

    def evaluate(self) -> None:
        """Evaluates, and keeps the checkpoint if it is the best so far."""
        if self.parts.evaluate is None:
            return
        self.parts.display.pause()
        sync_variables(self.model)
        try:
            with self.parts.stop.interruptible():
                if self.plan.average:
                    with averaged(self.model.optimizer):
                        metrics = self.parts.evaluate(self.model, self.step)
                else:
                    metrics = self.parts.evaluate(self.model, self.step)
        except KeyboardInterrupt:
            if self.parts.stop.aborted:
                raise
            self._end("interrupted")
            return
        self._take_in(metrics)

    def _take_in(self, metrics: dict[str, float]) -> None:
        plan, history = self.plan, self.parts.history
        self.outcome.metrics = metrics
        history.add(self.step, metrics)
        best_step, value, since = history.best(plan.best_metric, plan.min_delta)
        best = best_step == self.step and self.parts.saver.saved_step == self.step
        if best:
            self.parts.saver.mark_best(self.step, plan.best_metric, value)
        shown = metrics.get(plan.best_metric)
        if shown is not None:
            kept = "the best so far" if best else f"best {value:.4f} at {best_step}"
            self.parts.display.note(
                f"step {self.step}  {plan.best_metric} {shown:.4f} ({kept})"
            )
        if plan.patience and since >= plan.patience and self.step < plan.num_steps:
            self._end("early stopping")

    def _end(self, reason: str) -> None:
        self.outcome.reason = reason
        self.model.stop_training = True

    def _due(self, every: int) -> bool:
        return bool(every) and self.step % every == 0

    def _rate(self) -> float:
        return self.parts.rate_at(max(self.step - 1, 0))

    def _watch(self, fed: Fed, losses: Mapping[str, float]) -> None:
        guard = self.parts.guard
        if guard.lost(losses):
            saved = self.parts.saver.last
            raise guard.error(self.step, losses, fed.image_ids, self._rate(), saved)
        guard.passed(losses, fed.image_ids)

    def _report(self, losses: Mapping[str, float]) -> None:
        self._shown.add(losses)
        self._logged.add(losses)
        if self.parts.display.due(self.step):
            left = self.plan.num_steps - self.step
            self.outcome.losses = self._shown.take()
            reading = Reading(
                losses=self.outcome.losses,
                learning_rate=self._rate(),
                images_per_second=self.clock.images_per_second,
                waiting=self.clock.waiting,
                seconds_left=left * self.clock.seconds_per_step,
            )
            self.parts.display.show(self.step, reading)
        if self.step == 1 or self._due(self.plan.log_every):
            logged, rate = self._logged.take(), self._rate()
            self.parts.history.add_losses(self.step, logged, rate)
            if self.parts.tracker:
                self._track(logged | {"learning_rate": rate})

    def _track(self, scalars: dict[str, float]) -> None:
        tracker, feed = self.parts.tracker, self.parts.feed
        if self.clock.seconds_per_step:
            scalars["steps_per_sec"] = 1.0 / self.clock.seconds_per_step
        tracker.scalars(self.step, scalars)
        if feed.sample is not None:
            label_map = getattr(feed.pipeline, "label_map", None)
            pictures = input_pictures(feed.sample, label_map)
            tracker.images(self.step, "train_input_images", pictures)
            feed.sample = None
