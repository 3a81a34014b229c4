"""Trains the tiny detector in a process of its own; see test_exact_resume.

python exact_resume.py MODEL_DIR NUM_STEPS [KILL_AT]
"""
# ruff: noqa: E402

import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from odapi.runtime import backend

backend.load()

import keras

from odapi.build.optimizer import Optimization
from odapi.checkpoints.weights import save_weights
from odapi.optim import optimizers, schedules
from odapi.runtime.determinism import seed_everything
from odapi.runtime.interrupts import Interrupts
from odapi.training.loop import fit
from odapi.training.plan import Plan
from odapi.training.resume import ResumePoint, find_checkpoint
from tiny_detector import TinyDetector, TinyPipeline

model_dir, num_steps = pathlib.Path(sys.argv[1]), int(sys.argv[2])
kill_at = int(sys.argv[3]) if len(sys.argv) > 3 else None
seed_everything(3, deterministic=True)
detector = TinyDetector(dropout=0.5)
# Ends at step 40, whatever num_steps says: the schedule is that of the whole run.
schedule = schedules.CosineDecay(0.1, 40, 0.01, 5)
optimizer = optimizers.make(
    keras.optimizers.SGD,
    average_decay=0.99,
    learning_rate=schedule,
    momentum=0.9,
    global_clipnorm=1.0,
)


class Killing(TinyPipeline):
    """Kills the process when a batch is read, some steps before it is used."""

    def get_state(self):
        if self.next == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().get_state()


last = find_checkpoint(model_dir)
fit(
    detector,
    Optimization(optimizer, schedule),
    Killing(),
    Plan(num_steps, evaluate_every=10, save_every=20, average=True, best_metric="mAP"),
    model_dir,
    lambda folder: None,
    Interrupts(),
    evaluate=lambda detector, step: {"mAP": 0.5},
    resume_from=ResumePoint(last) if last else None,
)
save_weights(detector, model_dir / "final.h5")
print([name for name in ("tensorflow", "jax", "torch") if name in sys.modules])
