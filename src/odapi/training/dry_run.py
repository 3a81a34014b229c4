"""A training without training: builds everything, runs one batch, prints the plan."""

import dataclasses
import math
import pathlib
import time
from typing import Any

import keras
import numpy as np

from odapi.build.optimizer import Optimization
from odapi.data.loader.pipeline import Pipeline
from odapi.errors import DivergedError
from odapi.fields import FIELDS
from odapi.models.detector import Detector
from odapi.progress import duration
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.memory import peak, resident, shown, training_memory
from odapi.structures import Batch, present
from odapi.training.callbacks.evaluate import EvaluateFunction
from odapi.training.callbacks.nan_guard import diverged_losses
from odapi.training.loop import restore, run_steps
from odapi.training.memory_estimate import estimate_run
from odapi.training.plan import Plan
from odapi.training.prefetcher import Prefetcher, as_pair
from odapi.training.resume import ResumePoint
from odapi.training.step_losses import StepLosses
from odapi.wording import counted

_SINGLE = Strategy()
_STEPS = 2  # The first compiles, the second is measured.


@dataclasses.dataclass
class DryRun:
    """Plan of a training, and what one batch showed.

    Args:
        num_steps: Updates in all.
        first_step: Updates done by the run that would be resumed; 0 for a new one.
        batch_size: Images per update.
        parts: Parts that a batch is computed in.
        images, eval_images: Number of images; None: no evaluation.
        losses: Losses of the first batch, by the original's names.
        metrics: Metrics of one batch of the evaluation data.
        data: Objects, masks and keypoints of the first batch, as lines.
        seconds_per_step: Time of the second step; the first compiles.
        seconds_compiling: Time of the first step.
        seconds_evaluating: Time of evaluating one batch, compilation included.
        memory_estimate: Estimated memory in bytes, by its parts.
        memory_peak, memory_total: Measured peak, and what the device has, in bytes;
            None if unknown.
        checkpoint_bytes: Size of a checkpoint.
        writes: What a training would write, as lines.
        warnings: Named warnings.
    """

    num_steps: int
    first_step: int
    batch_size: int
    parts: int
    images: int
    eval_images: int | None
    losses: dict[str, float] = dataclasses.field(default_factory=dict)
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    data: list[str] = dataclasses.field(default_factory=list)
    seconds_per_step: float = 0.0
    seconds_compiling: float = 0.0
    seconds_evaluating: float = 0.0
    memory_estimate: dict[str, int] = dataclasses.field(default_factory=dict)
    memory_peak: int | None = None
    memory_total: int | None = None
    checkpoint_bytes: int = 0
    writes: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)

    @property
    def epochs(self) -> float:
        """Passes over the training images."""
        return self.num_steps * self.batch_size / max(1, self.images)

    @property
    def seconds_in_all(self) -> float:
        """Time of the steps that are left, without evaluation."""
        return (self.num_steps - self.first_step) * self.seconds_per_step

    def as_dict(self) -> dict[str, Any]:
        """Returns all values for JSON."""
        derived = {"epochs": self.epochs, "seconds_in_all": self.seconds_in_all}
        return dataclasses.asdict(self) | derived

    def lines(self) -> list[str]:
        """Returns the plan and the findings as lines of text."""
        start = f" (from step {self.first_step})" if self.first_step else ""
        parts = f" in {self.parts} parts" if self.parts > 1 else ""
        batch = counted(self.batch_size, "image")
        steps = f"{counted(self.num_steps, 'step')} of {batch}{parts}"
        evaluated = "no evaluation"
        if self.eval_images is not None:
            evaluated = f"{counted(self.eval_images, 'image')} to evaluate"
        memory = f"{shown(sum(self.memory_estimate.values()))} estimated"
        if self.memory_peak:
            memory += f", {shown(self.memory_peak)} at the peak of this dry run"
        if self.memory_total:
            memory += f", of {shown(self.memory_total)}"
        losses = ", ".join(f"{n} {v:.4g}" for n, v in self.losses.items())
        return [
            "Dry run: nothing was trained, nothing was written",
            f"Steps: {steps}{start}, {self.epochs:.3g} epochs of "
            f"{counted(self.images, 'image')}; {evaluated}",
            *(f"Data: {line}" for line in self.data),
            f"Losses of the first batch: {losses}",
            f"Time: {self.seconds_per_step:.3g} s per step, "
            f"{duration(self.seconds_in_all)} in all without evaluation; compilation "
            f"{duration(self.seconds_compiling)}"
            + (
                f", evaluation of a batch {duration(self.seconds_evaluating)}"
                if self.eval_images is not None
                else ""
            ),
            f"Memory: {memory}",
            *(f"Writes: {line}" for line in self.writes),
            *self.warnings,
        ]


def rehearse(
    detector: Detector,
    optimization: Optimization,
    pipeline: Pipeline,
    plan: Plan,
    model_dir: pathlib.Path,
    *,
    eval_dataset: Pipeline | None = None,
    evaluate: EvaluateFunction | None = None,
    resume_from: ResumePoint | None = None,
    strategy: Strategy = _SINGLE,
) -> DryRun:
    """Runs a batch of training twice and one of evaluation; writes nothing.

    Args:
        detector, optimization, pipeline, plan, resume_from, strategy: As for
            `loop.fit`.
        model_dir: Folder that the training would write to.
        eval_dataset: The evaluation data; None: no evaluation.
        evaluate: Evaluates one batch.

    Raises:
        DivergedError: A loss of the first batch is NaN or infinite.
        CheckpointError: The checkpoint to resume from cannot be read.
    """
    optimizer = optimization.optimizer
    with strategy.scope():
        facts = restore(detector, optimizer, pipeline, resume_from)
    result = DryRun(
        num_steps=plan.num_steps,
        first_step=facts.get("step", 0),
        batch_size=pipeline.batch_size,
        parts=plan.accumulation,
        images=pipeline.num_images,
        eval_images=eval_dataset.num_images if eval_dataset else None,
    )
    prefetcher = Prefetcher(pipeline)
    watch = _Watch(prefetcher)
    before = resident() or 0
    try:
        with strategy.scope():
            run_steps(detector, optimizer, prefetcher, [watch], _STEPS)
    finally:
        prefetcher.close()
    first = watch.first_batch
    result.losses = watch.losses[0]
    result.seconds_compiling, result.seconds_per_step = watch.seconds[:_STEPS]
    result.data, result.warnings = data_lines(first, detector.groundtruth_fields)
    pair = as_pair(first, pipeline.pads)
    with strategy.scope():
        found, warned = estimate_run(
            detector, optimizer, pair, pipeline, plan.accumulation, strategy, before
        )
    memory = training_memory()
    result.memory_estimate = found._asdict()
    result.memory_total = memory.total if memory else None
    result.warnings += warned
    result.checkpoint_bytes = sum(
        math.prod(v.shape) * 4 for v in (*detector.variables, *optimizer.variables)
    )
    if diverged := diverged_losses(result.losses, None):
        values = " and ".join(f"{name} is {v:.4g}" for name, v in diverged.items())
        raise DivergedError(
            "the first batch", values, f"its images: {', '.join(first.image_ids)}"
        )
    if evaluate is not None:
        start = time.monotonic()
        result.metrics = evaluate(detector, result.first_step)
        result.seconds_evaluating = time.monotonic() - start
    result.memory_peak = peak()
    result.writes = _writes(result, plan, model_dir, evaluate is not None)
    return result


class _Watch(keras.callbacks.Callback):
    """Keeps the first batch, and the losses and times of the steps."""

    def __init__(self, prefetcher: Prefetcher):
        super().__init__()
        self.prefetcher = prefetcher
        self.losses: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self._step_losses = StepLosses()
        self._start = time.monotonic()

    @property
    def first_batch(self) -> Batch:
        batch = self.prefetcher.first_batch
        if batch is None:
            self.prefetcher.raise_own_error()
            raise RuntimeError("the training data has no batch")
        return batch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(self._step_losses.of_step(logs or {}))
        self.seconds.append(time.monotonic() - self._start)


def data_lines(batch: Batch, fields: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Returns lines about the objects of a batch, and warnings about missing fields.

    Args:
        batch: A batch of the training data.
        fields: Optional fields of `Groundtruth` that the model learns.
    """
    truth = present(batch.groundtruth)
    valid = np.asarray(truth["valid"])
    objects, empty = int(valid.sum()), int((valid.sum(axis=1) == 0).sum())
    lines = [
        f"{counted(objects, 'box', 'boxes')} in the first batch of "
        f"{counted(len(valid), 'image')}, {empty} of them without objects"
    ]
    warnings = []
    for name in fields:
        values = np.asarray(truth.get(name, ()))
        if name not in FIELDS or values.shape[:2] != valid.shape:
            continue  # Not one value per object.
        has = _is_given(values, valid)
        lines.append(f"{name}: of {has} of {counted(objects, 'object')}")
        if objects and not has and FIELDS[name].hint:
            warnings.append(
                f"MissingFieldWarning: the model learns {name}, and no object of the "
                "first batch has them"
            )
    if not objects:
        warnings.append(
            "NoObjectsWarning: no image of the first batch has an object, after the "
            "augmentations"
        )
    return lines, warnings


def _is_given(values: np.ndarray, valid: np.ndarray) -> int:
    """Returns the number of objects with a value that is not zero or NaN."""
    flat = np.nan_to_num(values.astype("float32")).reshape(*valid.shape, -1)
    return int(((flat != 0).any(axis=-1) & valid).sum())


def _writes(
    result: DryRun, plan: Plan, model_dir: pathlib.Path, evaluates: bool
) -> list[str]:
    every = f"every {plan.save_every} steps and at the end"
    if not plan.save_every:
        every = "at the end"
    if evaluates and plan.evaluate_every:
        every += f" and before each evaluation, every {plan.evaluate_every}"
    kept = f" and {plan.keep} more" if plan.keep else ""
    return [
        f"{model_dir / 'checkpoints'}: about {shown(result.checkpoint_bytes)} each, "
        f"{every}; the best and the last are kept{kept}",
        f"{model_dir}: pipeline.config, losses.jsonl, training.json, curves.png, event "
        f"files{', metrics.jsonl' if evaluates else ''}",
    ]
