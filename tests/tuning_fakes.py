"""Trials that write the files of a training, without one, for tests of the search.

python tuning_fakes.py FOLDER TRIALS [SLOW]: searches in a study with such trials.
"""

import json
import pathlib
import sys
import time

from odapi.report.history import History
from odapi.tuning import tuner
from odapi.tuning.search_space import parse_space
from odapi.tuning.settings import Settings
from odapi.tuning.study import Study
from odapi.tuning.tune import trial_folder
from odapi.tuning.tuner import Limits, Tuner

METRIC = "DetectionBoxes_Precision/mAP"
RATE = "train_config.gradient_clipping_by_norm"
SIZE, KIND = "train_config.batch_size", "train_config.fine_tune_checkpoint_type"
SPACE = parse_space(
    [f"{RATE}=log(1e-4, 1)", f"{SIZE}=int(1, 9)", f"{KIND}=choice(full, detection)"]
)
STEPS, EVERY = 30, 10


def value_of(values, step):
    """Returns the metric of a trial: highest for size 7 and kind "detection"."""
    peak = 1 - abs(values[SIZE] - 7) / 10 - 0.1 * (values[KIND] == "full")
    return peak * step / STEPS


class FakeTraining:
    """A training that evaluates once per poll.

    Args:
        folder: Of the run.
        values: Of the parameters.
        evaluate: (values, step) -> metric.
        fails: Exit code and reason of a failure; None: it succeeds.
        seconds: Per evaluation.
    """

    def __init__(self, folder, values, evaluate=value_of, fails=None, seconds=0.0):
        self.folder, self.values, self.evaluate = folder, values, evaluate
        self.fails, self.seconds = fails, seconds
        self.code, self.is_interrupted, self.is_killed = None, False, False
        folder.mkdir(parents=True, exist_ok=True)
        history = History(folder, STEPS)
        self.step = max((e["step"] for e in history.evaluations), default=0)

    def poll(self):
        if self.code is None:
            self._advance()
        return self.code

    def _advance(self):
        if self.fails:
            self.code = self.fails[0]
        elif self.is_interrupted:
            self._end("interrupted")
        elif self.step >= STEPS:
            self._end("done")
        else:
            time.sleep(self.seconds)
            self.step += EVERY
            value = self.evaluate(self.values, self.step)
            History(self.folder, STEPS).add(self.step, {METRIC: value})

    def _end(self, reason):
        summary = {"step": self.step, "reason": reason, "seconds": 1.5}
        (self.folder / "training.json").write_text(json.dumps(summary))
        self.code = 0

    def interrupt(self):
        self.is_interrupted = True

    def kill(self):
        self.is_killed = True

    def failure(self):
        return self.fails[1]


def open_study(folder, **changes):
    settings = Settings(SPACE, METRIC, **changes)
    folder.mkdir(parents=True, exist_ok=True)
    return Study(folder, settings, STEPS, EVERY), settings


def make_tuner(folder, limits, start=None, notes=None, **changes):
    """Returns a search with fake trials."""
    tuner._POLL_SECONDS = 0.0
    study, settings = open_study(folder, **changes)

    def default(trial, slot):
        return FakeTraining(trial_folder(folder, trial.number), trial.values)

    return Tuner(
        study,
        settings,
        limits,
        STEPS,
        start or default,
        lambda number: trial_folder(folder, number),
        [].append if notes is None else notes.append,
    )


if __name__ == "__main__":
    place, pause = pathlib.Path(sys.argv[1]), float((sys.argv[3:] or [0])[0])
    made = make_tuner(
        place,
        Limits(int(sys.argv[2])),
        lambda trial, slot: FakeTraining(
            trial_folder(place, trial.number), trial.values, seconds=pause
        ),
    )
    print(made.run(), flush=True)
