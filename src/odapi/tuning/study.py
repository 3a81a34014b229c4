"""A study of Optuna in a folder: its storage, sampler, pruner and trials.

Several processes may work on a study. A trial belongs to the process that holds its
lock, which ends with the process: a trial that no process holds is resumed.
"""

import contextlib
import dataclasses
import hashlib
import pathlib
import time
import warnings
from collections.abc import Iterator
from typing import Any

from odapi.checkpoints.run_lock import locked
from odapi.errors import CheckpointError, MissingPackageError
from odapi.tuning.search_space import CHOICE, Parameter, Value
from odapi.tuning.settings import (
    HYPERBAND,
    JOURNAL,
    MEDIAN,
    TPE,
    Settings,
)

_NAME = "odapi"
_LOCKS = "locks"
_WAIT, _PAUSE = 60.0, 0.05  # Seconds for the lock of the study.
FAILURE, SECONDS, BEST_STEP = "failure", "seconds", "best_step"


@dataclasses.dataclass
class Trial:
    """A trial that this process works on.

    Args:
        number: From 0.
        values: Values of the parameters by name.
        reported: Steps of its evaluations that the study has; of a resumed trial.
        is_resumed: True if another process began it.
        handle: Optuna's object.
        lock: Is held until the trial ends.
    """

    number: int
    values: dict[str, Value]
    reported: frozenset[int]
    is_resumed: bool
    handle: Any
    lock: contextlib.ExitStack

    def report(self, step: int, value: float) -> None:
        """Records the value of an evaluation."""
        self.handle.report(value, step)

    def should_prune(self) -> bool:
        """Returns whether the trial is worse than others were at the same step."""
        return self.handle.should_prune()


class Study:
    """A study in a folder, which is made if it is new.

    Args:
        folder: The folder.
        settings: Of the study.
        num_steps: Steps of a trial, for Hyperband.
        every_n_steps: Steps between its evaluations.

    Raises:
        MissingPackageError: Optuna is not installed.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        settings: Settings,
        num_steps: int,
        every_n_steps: int,
    ):
        self.folder, self.settings = folder, settings
        self._optuna = import_optuna()
        self._num_steps, self._every = num_steps, every_n_steps
        with self._exclusive():
            self._study = self._optuna.create_study(
                storage=self._storage(),
                study_name=_NAME,
                sampler=self._sampler(0),
                pruner=self._pruner(),
                direction=settings.direction,
                load_if_exists=True,
            )

    def next_trial(self, max_trials: int) -> Trial | None:
        """Returns a trial to resume or a new one; None if there are enough.

        Args:
            max_trials: Number of trials of the study, failed ones included.
        """
        with self._exclusive():
            for number in self._numbers_of_running():
                resumed = self._adopt(number)
                if resumed is not None:
                    return resumed
            number = len(self.trials())
            if number >= max_trials:
                return None
            # The proposal depends on the seed, the number and earlier results only: a
            # study that is resumed samples what an undisturbed one does.
            self._study.sampler = self._sampler(number)
            handle = self._study.ask()
            values = self._values(handle)
            lock = self._try_lock(handle.number) or contextlib.ExitStack()
            return Trial(handle.number, values, frozenset(), False, handle, lock)

    def _numbers_of_running(self) -> list[int]:
        return [t.number for t in self.trials() if t.state.name == "RUNNING"]

    def _adopt(self, number: int) -> Trial | None:
        """Returns a trial that no process works on; None if one does."""
        lock = self._try_lock(number)
        if lock is None:
            return None
        frozen = self.trials()[number]
        if frozen.state.name != "RUNNING":  # Its process has just recorded its end.
            lock.close()
            return None
        # A process may have died before it sampled all values.
        self._study.sampler = self._sampler(number)
        handle = self._optuna.trial.Trial(self._study, frozen._trial_id)
        reported = frozenset(frozen.intermediate_values)
        return Trial(number, self._values(handle), reported, True, handle, lock)

    def complete(self, trial: Trial, value: float) -> None:
        """Records the value of a trial that has ended."""
        self._tell(trial, "COMPLETE", value)

    def prune(self, trial: Trial) -> None:
        """Records that a trial was stopped because others were better."""
        self._tell(trial, "PRUNED")

    def fail(self, trial: Trial, reason: str) -> None:
        """Records that a trial has failed."""
        trial.handle.set_user_attr(FAILURE, reason)
        self._tell(trial, "FAIL")

    def leave(self, trial: Trial) -> None:
        """Leaves a trial to be resumed."""
        trial.lock.close()

    def note(self, trial: Trial, **facts: Any) -> None:
        """Records facts about a trial, as values for JSON."""
        for name, value in facts.items():
            trial.handle.set_user_attr(name, value)

    def trials(self) -> list[Any]:
        """Returns all trials of the study, as Optuna's `FrozenTrial`."""
        return self._study.get_trials(deepcopy=False)

    def importances(self) -> dict[str, float]:
        """Returns the importance of the parameters, by PED-ANOVA; sums to 1.

        {} if fewer than 4 trials are complete, or all have the same value.
        """
        complete = [t for t in self.trials() if t.state.name == "COMPLETE"]
        if len(complete) < 4 or len({t.value for t in complete}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(self._optuna.importance.get_param_importances(self._study))

    def _values(self, handle: Any) -> dict[str, Value]:
        return {p.name: _suggest(handle, p) for p in self.settings.space}

    def _tell(self, trial: Trial, state: str, value: float | None = None) -> None:
        self._study.tell(
            trial.handle, value, state=getattr(self._optuna.trial.TrialState, state)
        )
        trial.lock.close()

    def _sampler(self, number: int) -> Any:
        text = f"{self.settings.seed} {number}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        samplers = self._optuna.samplers
        if self.settings.sampler != TPE:
            return samplers.RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of options that are experimental.
            return samplers.TPESampler(
                n_startup_trials=self.settings.startup_trials,
                multivariate=True,
                constant_liar=True,  # Other processes search at the same time.
                seed=seed,
            )

    def _pruner(self) -> Any:
        pruners = self._optuna.pruners
        if self.settings.pruner == MEDIAN:
            return pruners.MedianPruner(n_startup_trials=self.settings.startup_trials)
        if self.settings.pruner == HYPERBAND:
            return pruners.HyperbandPruner(
                min_resource=max(self._every, 1), max_resource=self._num_steps
            )
        return pruners.NopPruner()

    def _storage(self) -> Any:
        storages = self._optuna.storages
        if self.settings.storage != JOURNAL:
            return storages.RDBStorage(f"sqlite:///{self.folder / 'study.db'}")
        path = self.folder / "journal.log"
        lock = storages.journal.JournalFileSymlinkLock(str(path))
        if path.exists():
            lock.acquire()
            try:
                _cut_unfinished_line(path)
            finally:
                lock.release()
        return storages.JournalStorage(storages.journal.JournalFileBackend(str(path)))

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keeps other processes from choosing a trial at the same time."""
        deadline = time.monotonic() + _WAIT
        with contextlib.ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(locked(self.folder / _LOCKS / "study", _quiet))
                    break
                except CheckpointError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_PAUSE)
            yield

    def _try_lock(self, number: int) -> contextlib.ExitStack | None:
        stack = contextlib.ExitStack()
        try:
            stack.enter_context(locked(self.folder / _LOCKS / f"{number:04d}", _quiet))
        except CheckpointError:
            return None
        return stack


def import_optuna() -> Any:
    """Returns the package, whose messages are silenced.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingPackageError("odapi tune", "optuna", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _suggest(handle: Any, parameter: Parameter) -> Value:
    """Returns the value of a parameter in a trial, which samples it at first."""
    name, log, step = parameter.name, parameter.is_logarithmic, parameter.step
    if parameter.kind == CHOICE:
        return handle.suggest_categorical(name, parameter.choices)
    if parameter.is_whole:
        low, high = int(parameter.low), int(parameter.high)
        return handle.suggest_int(name, low, high, log=log, step=int(step) or 1)
    return handle.suggest_float(
        name, parameter.low, parameter.high, log=log, step=step or None
    )


def _cut_unfinished_line(path: pathlib.Path) -> None:
    """Removes a line that a crash or a full disk has cut: Optuna refuses the file."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with open(path, "r+b") as file:
            file.truncate(end)


def _quiet(text: str) -> None:
    """Drops the warning of file systems without locks, which is shown once."""
