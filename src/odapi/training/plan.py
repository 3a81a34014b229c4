"""Settings of a training run, and its result."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from odapi.wording import first_names

_IN_REPR = 4  # Metrics and losses.


@dataclasses.dataclass
class TimeLimit:
    """Time after which a call ends its training, counted from its construction.

    Args:
        hours: The limit.
        clock: Returns seconds; the tests replace it.
    """

    hours: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._end = self.clock() + 3600.0 * self.hours

    @property
    def is_reached(self) -> bool:
        """True from then on."""
        return self.clock() >= self._end


@dataclasses.dataclass(frozen=True)
class Plan:
    """Settings of a training run.

    Args:
        num_steps: Updates in all, counted from the very first.
        log_every: Steps between lines of `losses.jsonl` and of trackers.
        save_every: Steps between checkpoints; the last step is always saved.
        keep: Checkpoints kept besides the best and the last.
        evaluate_every: Steps between evaluations; 0: at the end only.
        best_metric: Metric that selects the best checkpoint; higher is better.
        patience: Evaluations without a better metric before training stops;
            0: training never stops early.
        min_delta: Smallest increase of the metric that counts as better.
        average: Evaluate the moving averages of the weights.
        time_limit: Ends this call, not the run; None: no limit.
        accumulation: Parts that each batch is computed in, see `accumulate`.
        save_diverged: Save a step that diverges, to repeat it.
        allow: Names of health checks that are turned off.
    """

    num_steps: int
    log_every: int = 100
    save_every: int = 1000
    keep: int = 0
    evaluate_every: int = 1000
    best_metric: str = "DetectionBoxes_Precision/mAP"
    patience: int = 0
    min_delta: float = 0.0
    average: bool = False
    time_limit: TimeLimit | None = None
    accumulation: int = 1
    save_diverged: bool = True
    allow: tuple[str, ...] = ()

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch, as users' callbacks see it: those between evaluations."""
        return self.evaluate_every or self.num_steps


@dataclasses.dataclass(repr=False)
class Outcome:
    """Result of a training run.

    Args:
        step: Updates done in all, those of earlier runs included.
        reason: Why the run ended: "done", "early stopping", "time limit",
            "interrupted" or "callback" (a callback set `model.stop_training`).
        metrics: Metrics of the last evaluation; empty without one.
        losses: Mean losses of the last steps shown, by the original's names.
        seconds: Time of this run's steps, without evaluation and saving.
        images_per_second: Training speed of this run.
        waiting: Share of the training time spent waiting for data, 0 to 1.
        resumed: True if the run was resumed from a checkpoint.
        steps: Updates done by this call.
        parts: One dict per call that trained steps of the run: `first_step`,
            `last_step`, `steps`, `seconds`, `backend`.
    """

    step: int
    reason: str = "done"
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    losses: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    images_per_second: float = 0.0
    waiting: float = 0.0
    resumed: bool = False
    steps: int = 0
    parts: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def __repr__(self) -> str:
        named = {**self.metrics, **self.losses}
        values = [f"{k} {v:.4f}" for k, v in named.items()]
        shown = first_names(values, _IN_REPR) or "no metrics"
        return f"<Outcome at step {self.step} ({self.reason}): {shown}>"
