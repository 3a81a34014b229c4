"""Kills trainings of the tiny detector at random moments, and resumes them.

python killed_runs.py FOLDER NUM_KILLS SEED

The process imports TensorFlow, but runs nothing on it: its children, which do, start
by a fork within milliseconds. It prints a JSON object with the number of kills by the
moment, and the names of the arrays that differ from those of a training without kills.
"""
# ruff: noqa: E402

import collections
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from odapi.runtime import backend

backend.load()

import keras
import numpy as np

from odapi.build.optimizer import Optimization
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays
from odapi.optim import optimizers, schedules
from odapi.runtime.determinism import seed_everything
from odapi.runtime.interrupts import Interrupts
from odapi.training.loop import fit
from odapi.training.plan import Plan
from odapi.training.resume import ResumePoint, find_checkpoint
from tiny_detector import TinyDetector, TinyPipeline

STEPS, SAVE_EVERY, EVALUATE_EVERY = 30, 3, 10
FILES = (folders.WEIGHTS, folders.AVERAGES, "training_state.h5")


class Announcing(keras.callbacks.Callback):
    """Writes a byte after the first step of a call, when it is compiled."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def on_train_batch_end(self, batch, logs=None):
        if self.pipe is not None:
            os.write(self.pipe, b"1")
            self.pipe = None


def train(model_dir, pipe):
    """Trains until step `STEPS`, from the last checkpoint."""
    seed_everything(3, deterministic=True)
    schedule = schedules.CosineDecay(0.1, STEPS, 0.01, 5)
    optimizer = optimizers.make(
        keras.optimizers.SGD,
        average_decay=0.99,
        learning_rate=schedule,
        momentum=0.9,
        global_clipnorm=1.0,
    )
    last = find_checkpoint(model_dir)
    fit(
        TinyDetector(dropout=0.5),
        Optimization(optimizer, schedule),
        TinyPipeline(),
        Plan(
            STEPS,
            save_every=SAVE_EVERY,
            evaluate_every=EVALUATE_EVERY,
            average=True,
            best_metric="mAP",
        ),
        model_dir,
        lambda folder: (folder / "pipeline.config").write_text("x"),
        Interrupts(),
        evaluate=lambda detector, step: {"mAP": step / 100},
        callbacks=[Announcing(pipe)],
        resume_from=ResumePoint(last) if last else None,
    )


def start(model_dir):
    """Starts a training in a child; returns its id and a pipe that it writes to."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        log = os.open(
            model_dir.with_suffix(".log"), os.O_CREAT | os.O_APPEND | os.O_RDWR
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        train(model_dir, writing)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def kill(model_dir, delay, from_start):
    """Trains for `delay` seconds; returns False if the training ended before."""
    child, pipe = start(model_dir)
    if not from_start:
        os.read(pipe, 1)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(pipe)
    if os.WIFEXITED(status):
        check(os.WEXITSTATUS(status), model_dir)
        return False
    return True


def finish(model_dir):
    """Trains to the end; returns the seconds from the first step on."""
    child, pipe = start(model_dir)
    os.read(pipe, 1)
    begin = time.monotonic()
    _, status = os.waitpid(child, 0)
    os.close(pipe)
    check(os.waitstatus_to_exitcode(status), model_dir)
    return time.monotonic() - begin


def check(code, model_dir):
    if code:
        sys.exit(
            f"exit code {code}: {model_dir.with_suffix('.log').read_text()[-3000:]}"
        )


def moment(model_dir):
    """Returns what a kill interrupted, by what it has left behind."""
    root = model_dir / "checkpoints"
    if list(model_dir.glob(".writing-*")) or list(root.glob(".writing-*")):
        return "writing"
    last = folders.latest(model_dir)
    return "before the first checkpoint" if last is None else "between checkpoints"


def differing(one, other):
    """Returns the names of arrays of two checkpoints that are not equal in all bits."""
    found = []
    for name in FILES:
        mine, theirs = load_arrays(one / name), load_arrays(other / name)
        found += [f"{name}/{k}" for k in mine.keys() ^ theirs.keys()]
        found += [
            f"{name}/{k}"
            for k in mine.keys() & theirs.keys()
            if not np.array_equal(mine[k], theirs[k])
        ]
    return found


def main():
    folder, number, rng = (
        pathlib.Path(sys.argv[1]),
        int(sys.argv[2]),
        random.Random(sys.argv[3]),
    )
    whole = folder / "whole"
    seconds = finish(whole)
    expected, moments = folders.latest(whole), collections.Counter()
    different, runs = [], 0
    while moments.total() < number:
        runs += 1
        run = folder / f"run-{runs}"
        while moments.total() < number:
            from_start = rng.random() < 0.1
            delay = rng.uniform(0.0, 0.2 if from_start else 0.4 * seconds)
            if not kill(run, delay, from_start):
                break
            moments[moment(run)] += 1
        finish(run)
        last = folders.latest(run)
        different += [f"run {runs}: {last.name}"] * (last.name != expected.name)
        different += [f"run {runs}: {name}" for name in differing(expected, last)]
        shutil.rmtree(run)
    result = {
        "kills": moments,
        "runs": runs,
        "different": different,
        "seconds": seconds,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
