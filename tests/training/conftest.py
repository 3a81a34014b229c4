"""A whole training of the tiny detector, in one call."""

import dataclasses
import pathlib
from typing import Any

import keras
import pytest

from odapi.build.optimizer import Optimization
from odapi.checkpoints import folder as folders
from odapi.optim import optimizers, schedules
from odapi.runtime.interrupts import Interrupts
from odapi.training.loop import fit
from odapi.training.plan import Plan
from odapi.training.recalibration import Recalibration
from odapi.training.resume import ResumePoint
from tiny_detector import TinyDetector, TinyPipeline


@dataclasses.dataclass
class Run:
    """Keyword arguments of a training, and what came of it."""

    model_dir: pathlib.Path
    config: str = "x"
    detector: Any = None
    pipeline: Any = None
    tracker: Any = None
    callbacks: tuple = ()
    evaluate: Any = None
    evaluated: list[int] = dataclasses.field(default_factory=list)

    def __call__(
        self,
        num_steps=6,
        rate=0.05,
        scores=None,
        decay=None,
        scaled=False,
        recalibrate=0,
        **plan,
    ):
        """Trains as `odapi train` would, in a fresh process."""
        self.detector = self.detector or TinyDetector(dropout=0.5)
        self.pipeline = self.pipeline or TinyPipeline()
        optimizer = optimizers.make(
            keras.optimizers.SGD,
            average_decay=decay,
            learning_rate=rate,
            momentum=0.9,
        )
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8)

        def evaluate(detector, step):
            self.evaluated.append(step)
            return {"mAP": scores[step] if isinstance(scores, dict) else scores(step)}

        folders.remove_partial(self.model_dir)
        last = folders.latest(self.model_dir)
        plan = Plan(num_steps, best_metric="mAP", **plan)
        with Interrupts() as interrupts:
            outcome = fit(
                self.detector,
                Optimization(optimizer, schedules.Constant(rate)),
                self.pipeline,
                plan,
                self.model_dir,
                lambda folder: (folder / "pipeline.config").write_text(self.config),
                interrupts,
                evaluate=evaluate if scores else self.evaluate,
                tracker=self.tracker,
                callbacks=self.callbacks,
                resume_from=ResumePoint(last) if last else None,
                recalibration=Recalibration(self.detector, recalibrate, TinyPipeline)
                if recalibrate
                else None,
            )
        self.optimizer = optimizer
        return outcome


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path)
