"""A whole training of the tiny detector, in one call."""

import dataclasses
import pathlib
from typing import Any

import keras
import pytest

from odapi.optim import optimizers
from odapi.training.fit import fit
from odapi.training.plan import Plan
from tiny_detector import TinyDetector, TinyPipeline


@dataclasses.dataclass
class Run:
    """Keyword arguments of a training, and what came of it."""

    model_dir: pathlib.Path
    detector: Any = None
    pipeline: Any = None
    evaluated: list[int] = dataclasses.field(default_factory=list)

    def __call__(
        self, num_steps=6, rate=0.05, scores=None, decay=None, scaled=False, **plan
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

        plan = Plan(num_steps, best_metric="mAP", **plan)
        outcome = fit(
            self.detector,
            optimizer,
            self.pipeline,
            plan,
            self.model_dir,
            describe=lambda folder: (folder / "pipeline.config").write_text("x"),
            rate_at=lambda step: rate,
            evaluate=evaluate if scores else None,
        )
        self.optimizer = optimizer
        return outcome


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path)
