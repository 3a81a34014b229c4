"""State of a training run that its callbacks share."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from odapi.training.plan import Outcome, Plan
from odapi.training.prefetcher import FedBatch
from odapi.training.throughput import ThroughputMeter

INTERRUPTED, EARLY_STOPPING, CALLBACK = "interrupted", "early stopping", "callback"
TIME_LIMIT = "time limit"


@dataclasses.dataclass
class RunState:
    """Position of a run and the results of the last step.

    `StepCounter` updates it after every step; the callbacks behind it read it.

    Args:
        plan: Settings of the run.
        outcome: Result of the run so far; returned at the end.
        rate_at: Learning rate of a step, counted from 0.
        data_position: Position of the pipeline after the batch of the last step.
        parts_before: Earlier calls that trained this run, see `parts`.
        reference_loss: Total loss of the first step; None before it.
        meter: Speed of this run.
        batch: The batch of the last step; None before the first.
        losses: Losses of the last step alone, by the original's names.
        evaluated_step: Step of the last evaluation; None before the first.
        wanted_end: Why this process asks all to end the run after the next step; "": it
            does not.
    """

    plan: Plan
    outcome: Outcome
    rate_at: Callable[[int], float]
    data_position: Any = None
    parts_before: Sequence[dict[str, Any]] = ()
    reference_loss: float | None = None
    meter: ThroughputMeter = dataclasses.field(default_factory=ThroughputMeter)
    batch: FedBatch | None = None
    losses: Mapping[str, float] = dataclasses.field(default_factory=dict)
    evaluated_step: int | None = None
    wanted_end: str = ""

    def __post_init__(self) -> None:
        self._first_step = self.outcome.step  # Done before this call.

    @property
    def step(self) -> int:
        """Number of updates done, those of earlier runs included."""
        return self.outcome.step

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return self.rate_at(max(self.step - 1, 0))

    @property
    def is_ending(self) -> bool:
        """True after the last step, or after a callback has ended the run."""
        return self.step >= self.plan.num_steps or self.outcome.reason != "done"

    def is_due(self, every: int) -> bool:
        """Returns True at each multiple of `every` steps; never if it is 0."""
        return bool(every) and self.step % every == 0

    def end(self, model: keras.Model, reason: str) -> None:
        """Ends the run after this step; the first reason given is kept."""
        if self.outcome.reason == "done":
            self.outcome.reason = reason
        model.stop_training = True

    def finished(self) -> Outcome:
        """Returns the outcome with the speed of this run."""
        self.outcome.steps = self.step - self._first_step
        self.outcome.parts = self.parts()
        self.outcome.seconds = self.meter.total_seconds
        self.outcome.images_per_second = self.meter.images_per_second
        self.outcome.waiting = self.meter.waiting
        return self.outcome

    def parts(self) -> list[dict[str, Any]]:
        """Returns one dict per call that trained steps of this run, for JSON."""
        if self.step == self._first_step:
            return list(self.parts_before)
        part = {
            "first_step": self._first_step + 1,
            "last_step": self.step,
            "steps": self.step - self._first_step,
            "seconds": self.meter.total_seconds,
            "backend": keras.backend.backend(),
        }
        return [*self.parts_before, part]

    def facts(self) -> dict[str, Any]:
        """Returns what resuming needs beside arrays, as values for JSON."""
        parts = self.parts()
        return {
            "step": self.step,
            "data": self.data_position,
            "seconds": sum(part["seconds"] for part in parts),
            "parts": parts,
            "reference_loss": self.reference_loss,
        }


def parts_of(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the parts in the facts of a checkpoint.

    Of an imported run, and of one without parts, all steps are one part.
    """
    step, parts = facts.get("step", 0), facts.get("parts")
    if not step or (isinstance(parts, list) and parts and all(map(_is_part, parts))):
        return list(parts or ())
    known = {"first_step": 1, "last_step": step, "steps": step}
    return [{**known, "seconds": facts.get("seconds", 0.0), "backend": None}]


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("seconds"), (int, float))
