"""The search: starts trials, watches their evaluations, prunes and records them.

One thread does it all, since the work is in the processes of the trials.
"""

import collections
import dataclasses
import math
import pathlib
import time
from collections.abc import Callable

from odapi.checkpoints.run_lock import is_locked
from odapi.report.history import History
from odapi.report.metric_names import short_name
from odapi.report.training_summary import read_summary
from odapi.runtime.interrupts import Interrupts
from odapi.tuning.search_space import Parameter
from odapi.tuning.settings import Settings
from odapi.tuning.study import BEST_STEP, SECONDS, Study, Trial
from odapi.tuning.trial_process import TrialProcess

# (trial, slot) -> its training. A slot is a number from 0 to jobs - 1.
StartTrial = Callable[[Trial, int], TrialProcess]

DONE, INTERRUPTED, TIME_LIMIT, FAILING = "done", "interrupted", "time limit", "failing"
MAX_FAILURES = 5  # Of the first trials of a search, after which it ends.
MAX_INTERRUPTS = 3  # Of a trial by others than the search, after which it has failed.

_POLL_SECONDS = 0.25
_ORPHAN_SECONDS = 60.0
_ANY_STEP = 1 << 62


@dataclasses.dataclass(frozen=True)
class Limits:
    """Extent of a search.

    Args:
        trials: Trials of the study, failed ones included.
        jobs: Trials that run at the same time.
        max_hours: Hours of this call; 0: no limit.
    """

    trials: int
    jobs: int = 1
    max_hours: float = 0.0


@dataclasses.dataclass
class _Running:
    trial: Trial
    process: TrialProcess
    folder: pathlib.Path
    slot: int
    reported: set[int] = dataclasses.field(default_factory=set)
    is_pruned: bool = False


class Tuner:
    """Runs the trials of a study.

    Args:
        study: The study.
        settings: Of the study.
        limits: Extent of the search.
        num_steps: Steps of a trial: its last evaluation prunes nothing.
        start: Starts a trial.
        folder_of: Folder of the run of a trial, by its number.
        note: Gets a line for the user per event.
    """

    def __init__(
        self,
        study: Study,
        settings: Settings,
        limits: Limits,
        num_steps: int,
        start: StartTrial,
        folder_of: Callable[[int], pathlib.Path],
        note: Callable[[str], None],
    ):
        self._study, self._settings, self._limits = study, settings, limits
        self._num_steps, self._start, self._folder_of = num_steps, start, folder_of
        self._note = note
        self._running: list[_Running] = []
        self._failures, self._successes = 0, 0
        self._interrupts: collections.Counter[int] = collections.Counter()
        self._reason = DONE
        self._deadline = math.inf
        if limits.max_hours:
            self._deadline = time.monotonic() + 3600 * limits.max_hours

    def run(self) -> str:
        """Runs trials until there are enough, and returns why the search ended.

        "done", "time limit", "interrupted" by a signal, or "failing": the first trials
        failed. Trials that are stopped by the first two are resumed by the next call.

        Raises:
            KeyboardInterrupt: A second signal came; trials were killed.
        """
        with Interrupts() as interrupts:
            interrupts.note = self._note
            interrupts.shield()
            try:
                while True:
                    self._check_end(interrupts)
                    if self._reason == DONE:
                        self._fill()
                    if not self._running:
                        return self._reason
                    for running in list(self._running):
                        self._watch(running)
                    time.sleep(_POLL_SECONDS)
            finally:
                for running in self._running:
                    running.process.kill()
                    self._study.leave(running.trial)

    def _check_end(self, interrupts: Interrupts) -> None:
        if self._reason != DONE:
            return
        if interrupts.requested:
            self._reason = INTERRUPTED
        elif time.monotonic() > self._deadline:
            self._reason = TIME_LIMIT
            self._note(f"Time limit: {self._limits.max_hours:g} hours are over")
        elif self._failures >= MAX_FAILURES and not self._successes:
            self._reason = FAILING
        else:
            return
        for running in self._running:
            running.process.interrupt()

    def _fill(self) -> None:
        while len(self._running) < self._limits.jobs:
            trial = self._study.next_trial(self._limits.trials)
            if trial is None:
                return
            slot = min(set(range(self._limits.jobs)) - {r.slot for r in self._running})
            what = "resumed" if trial.is_resumed else "started"
            values = values_text(self._settings.space, trial)
            self._note(f"Trial {trial.number} {what}: {values}")
            folder = self._folder_of(trial.number)
            _wait_until_free(folder)
            process = self._start(trial, slot)
            reported = set(trial.reported)
            self._running.append(_Running(trial, process, folder, slot, reported))

    def _watch(self, running: _Running) -> None:
        code = running.process.poll()
        self._report(running, has_ended=code is not None)
        if code is None:
            return
        self._running.remove(running)
        if running.is_pruned:
            self._study.note(running.trial, **self._facts(running))
            self._study.prune(running.trial)
            self._successes += 1
        elif code == 0:
            self._finish(running)
        elif self._reason != DONE or code in (130, 143):
            self._leave(running)
        else:
            self._fail(running, running.process.failure())

    def _report(self, running: _Running, has_ended: bool) -> None:
        """Passes new evaluations on to the study, and prunes a trial."""
        for step, value in self._values(running):
            if step in running.reported:
                continue
            running.reported.add(step)
            running.trial.report(step, value)
            if running.is_pruned or has_ended or step >= self._num_steps:
                continue
            if self._reason == DONE and running.trial.should_prune():
                running.is_pruned = True
                running.process.interrupt()
                name = short_name(self._settings.metric)
                self._note(
                    f"Trial {running.trial.number} pruned at step {step}: "
                    f"{name} {value:.4f}"
                )

    def _finish(self, running: _Running) -> None:
        reason = read_summary(running.folder).get("reason")
        if reason == "interrupted":
            self._leave(running)
            return
        best = self._best(running)
        if best is None:
            self._fail(running, f"no evaluation has a value of {self._settings.metric}")
            return
        step, value = best
        number = running.trial.number
        name = short_name(self._settings.metric)
        self._study.note(running.trial, **self._facts(running), **{BEST_STEP: step})
        self._study.complete(running.trial, value)
        self._successes += 1
        self._note(f"Trial {number} finished: {name} {value:.4f} at step {step}")

    def _fail(self, running: _Running, reason: str) -> None:
        self._failures += 1
        self._study.fail(running.trial, reason)
        self._note(f"Trial {running.trial.number} failed: {reason}")

    def _leave(self, running: _Running) -> None:
        number = running.trial.number
        self._interrupts[number] += self._reason == DONE
        if self._interrupts[number] >= MAX_INTERRUPTS:
            self._fail(running, f"its process was ended {MAX_INTERRUPTS} times")
            return
        self._study.leave(running.trial)
        self._note(f"Trial {running.trial.number} interrupted; it will be resumed")

    def _facts(self, running: _Running) -> dict[str, float]:
        seconds = read_summary(running.folder).get("seconds")
        return {SECONDS: seconds} if isinstance(seconds, (int, float)) else {}

    def _values(self, running: _Running) -> list[tuple[int, float]]:
        """Returns steps and values of the evaluations of a trial."""
        found = []
        for entry in History(running.folder, _ANY_STEP).evaluations:
            value = entry["metrics"].get(self._settings.metric, math.nan)
            # -1 marks a metric with nothing to measure.
            if math.isfinite(value) and value != -1:
                found.append((entry["step"], value))
        return found

    def _best(self, running: _Running) -> tuple[int, float] | None:
        best = None
        for step, value in self._values(running):
            if best is None or self._settings.better(value, best[1]):
                best = step, value
        return best


def _wait_until_free(folder: pathlib.Path) -> None:
    """Waits for the training of a search that was killed: it ends by itself."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while is_locked(folder) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def values_text(space: tuple[Parameter, ...], trial: Trial) -> str:
    """Returns the values of a trial for one line: the ends of the paths are enough."""
    return ", ".join(
        f"{p.paths[0].rpartition('.')[2]}={p.value_text(trial.values[p.name])}"
        for p in space
    )
