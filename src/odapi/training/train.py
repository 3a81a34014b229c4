"""`odapi.train`: trains a detector from a pipeline config or from a model."""

import os
import pathlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import keras

from odapi.build.optimizer import build_optimizer
from odapi.build.precision import precision_of_keras
from odapi.build.sampling import sampling_lines
from odapi.build.tracker_settings import turn_on
from odapi.checkpoints import folder as folders
from odapi.checkpoints.metadata import metadata_writer
from odapi.checkpoints.run_folder import mark_run
from odapi.checkpoints.start_folder import use_start_folder
from odapi.config.check import find, print_warnings
from odapi.config.findings import raise_errors
from odapi.config.load import Config, load_config, options
from odapi.console import silenced
from odapi.data.augment.augmentation import Augmentation
from odapi.data.loader.pipeline import Pipeline
from odapi.data.sources.classes import UnknownClassError
from odapi.errors import DivergedError
from odapi.evaluation.processes import Processes
from odapi.models.detector import Detector
from odapi.report.training_summary import summary_lines
from odapi.runtime.determinism import seed_everything
from odapi.runtime.distribution.choose import choose_strategy
from odapi.runtime.distribution.cluster import Cluster
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.interrupts import Interrupts
from odapi.trackers.tracker import CombinedTracker, DetailedTracker, Tracker
from odapi.training import resume
from odapi.training.auto_batch import AUTO, set_auto_batch
from odapi.training.auto_precision import choose_precision, keep_precision
from odapi.training.device_checks import check_options
from odapi.training.dry_run import DryRun, rehearse
from odapi.training.epochs import steps_of
from odapi.training.evaluator import Evaluator
from odapi.training.finished_run import finished
from odapi.training.given_data import Data, GivenData
from odapi.training.given_model import GivenModel, given_model
from odapi.training.loop import fit
from odapi.training.messages import print_lines, print_problems
from odapi.training.parts import (
    build_datasets,
    build_trained,
    check_datasets,
    freeze_named,
    has_evaluation,
    load_initial_weights,
    plan_of,
    recalibration_of,
)
from odapi.training.plan import Outcome, Plan
from odapi.training.process_checks import (
    check_alone,
    check_same_config,
    check_same_data,
    decided,
    shared_checkpoint,
)
from odapi.training.process_parts import lock_of, share_of, trackers_of
from odapi.training.rate_scaling import scaling_lines
from odapi.training.resume import ResumePoint
from odapi.training.run_trackers import LogConfig, RunTrackers
from odapi.training.summarize import write_divergence, write_report

_ALONE = Processes()


def train(  # noqa: PLR0913 (keyword arguments of the public API)
    config: Any,
    model_dir: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    *,
    train_data: Data = None,
    eval_data: Data = None,
    classes: Sequence[str] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    augmentations: Sequence[Augmentation] = (),
    trackers: Sequence[Tracker | str] = (),
    num_steps: int | None = None,
    epochs: float | None = None,
    batch_size: int | Literal["auto"] | None = None,
    seed: int | None = None,
    max_hours: float | None = None,
    dry_run: bool = False,
    devices: int | None = None,
    cluster: Cluster | None = None,
) -> Outcome | DryRun:
    """Trains a detector, or resumes a training.

        odapi.train("pipeline.config", "runs/first", ["train_config.batch_size=8"])

    If `model_dir` has a checkpoint, training resumes from the last one exactly.
    Ctrl-C and SIGTERM save and return; before the first step is done, and the second
    time, they raise KeyboardInterrupt.
    Data, callbacks, augmentations and trackers of your own are described in
    docs/training.md, "Training from Python".

    Args:
        config: A `pipeline.config`, its folder, its text, the result of
            `load_config`; or a model, whose weights training starts from.
        model_dir: Gets checkpoints, the config, the label map, TensorBoard event
            files, `metrics.jsonl` and `training.json`.
        overrides: Config overrides, such as "train_config.batch_size=8".
        train_data, eval_data: A dataset as for `options.train_data` and
            `options.eval_data`, such as "coco:train.json"; or a sequence of samples:
            `len(samples)`, and `samples[i]` returns a dict with `image` (uint8
            `[h, w, 3]` or the path of a file), `boxes` (`[n, 4]`, normalized
            `[y_min, x_min, y_max, x_max]`) and `classes` (`[n]`, indices from 0).
        classes: Names of the classes of such samples, in the order of their indices.
        callbacks: Keras callbacks. An epoch is the stretch between two evaluations.
        augmentations: Functions `(sample, rng) -> sample`, applied after those of
            the config and before the resizer.
        trackers: Objects with the methods of `odapi.trackers.tracker.Tracker`, and
            names of trackers that `options.trackers` has: "clearml", "mlflow", "wandb".
        num_steps: `train_config.num_steps`.
        batch_size: `train_config.batch_size`; "auto": the largest that fits into
            memory, measured.
        epochs: Length of the training in passes over the training images, instead of
            `num_steps`.
        seed: `options.seed`.
        max_hours: `options.max_hours`, counted from the start of this call.
        dry_run: Builds everything, runs a batch of training and of evaluation, prints
            and returns the plan, and writes nothing.
        devices: Devices that share each batch; with a cluster, those of this process,
            by default all. See docs/scaling.md.
        cluster: The processes that train together, `odapi.Cluster`; None: this one.

    Raises:
        ConfigError: The config cannot be trained, or differs too much from that of
            the run in `model_dir`.
        DataError: A dataset cannot be used, or a sample or an augmentation of yours
            has the wrong form.
        CheckpointError: A checkpoint cannot be read, the last cannot be written, or
            another training writes to `model_dir`.
        DivergedError: A loss became NaN or exploded.
    """
    strategy = choose_strategy(devices, cluster)
    with strategy.together(), silenced(not strategy.is_chief):
        check_alone(strategy, "--dry-run", dry_run)
        check_alone(strategy, "--batch-size auto", batch_size == AUTO)
        model = given_model(config)
        data = GivenData(train_data, eval_data, classes)
        short = {
            **data.overrides(),
            "train_config.num_steps": num_steps,
            # Until it is measured.
            "train_config.batch_size": 1 if batch_size == AUTO else batch_size,
            "options.seed": seed,
            "options.max_hours": max_hours,
        }
        given = [
            f"{path}={value}" for path, value in short.items() if value is not None
        ]
        original = load_config(model.config if model else _run_config(config))
        loaded = load_config(original, [*overrides, *given])
        if batch_size == AUTO:
            set_auto_batch(loaded, pathlib.Path(model_dir), data, model, strategy)
        if not options(loaded).HasField("precision"):
            loaded = load_config(loaded, _precision(precision_of_keras()))
        if epochs is not None:
            known = model.label_map if model else None
            loaded.train_config.num_steps = steps_of(
                epochs, num_steps, loaded, data, known
            )
        if model:  # Its weights take the place of these.
            loaded.train_config.ClearField("fine_tune_checkpoint")
            options(loaded).ClearField("backbone_weights")
        others = turn_on(loaded, trackers)
        _check(loaded, original, data, strategy)
        folder = pathlib.Path(model_dir)
        check_same_config(strategy, loaded, folder)
        print_lines(*strategy.lines())
        if dry_run:
            return _dry_run(loaded, folder, model, data, augmentations, strategy)
        with (
            Interrupts() as interrupts,
            lock_of(folder, strategy),
            trackers_of(loaded, folder, others, strategy) as run_trackers,
        ):
            parts = (loaded, folder, model, data, callbacks, augmentations)
            return _reported_run(*parts, run_trackers, interrupts, strategy)


def _reported_run(config: Config, model_dir: pathlib.Path, *parts: Any) -> Outcome:
    """Runs, and says where to resume if the run was interrupted or diverged."""
    try:
        return _run(config, model_dir, *parts)
    except KeyboardInterrupt:
        print_lines(_interrupted(model_dir))
        raise
    except DivergedError as error:
        if parts[-1].is_chief:
            write_divergence(model_dir, error)
        raise


def _check(
    config: Config, original: Config, data: GivenData, strategy: Strategy
) -> None:
    """Checks a config before anything is built, and prints warnings and rules."""
    replaced = data.replaced_fields()
    print_warnings(
        raise_errors(f for f in find(config) if not f.path.startswith(replaced))
    )
    print_lines(*scaling_lines(original, config))
    check_options(config, strategy)


def _precision(name: str) -> list[str]:
    """Returns the override that records a precision which Keras' policy stands for."""
    return [] if name == "FLOAT32" else [f"options.precision={name}"]


def _run_config(config: Any) -> Any:
    """Returns the config of a run with the paths of its data; others as they are."""
    if isinstance(config, Config) or not os.path.exists(config):
        return config
    folder = pathlib.Path(config)
    checkpoint = folders.latest(folder if folder.is_dir() else folder.parent)
    if checkpoint is None:
        return config
    loaded = load_config(config)
    use_start_folder(loaded, checkpoint)
    return loaded


def _interrupted(model_dir: pathlib.Path) -> str:
    last = folders.latest(model_dir)
    if last is None:
        return "Interrupted before a step was saved."
    return f"Interrupted; the last checkpoint is {last}: run the same command to resume"


def _run(
    config: Config,
    model_dir: pathlib.Path,
    model: GivenModel | None,
    data: GivenData,
    callbacks: Sequence[keras.callbacks.Callback],
    augmentations: Sequence[Augmentation],
    trackers: RunTrackers,
    interrupts: Interrupts,
    strategy: Strategy,
) -> Outcome:
    """Builds everything, in the order in which mistakes are cheapest, and trains."""
    seed_everything(options(config).seed, options(config).deterministic)
    plan = plan_of(config)
    checkpoint = shared_checkpoint(strategy, model_dir)
    resume_from, changes = _find_run(config, checkpoint)
    if checkpoint is not None:
        settings = (plan, has_evaluation(config, data))
        outcome = decided(strategy, lambda: finished(model_dir, checkpoint, *settings))
        if outcome:
            return outcome
        print_lines(f"Resuming from checkpoint {checkpoint}", *changes)
    together = Processes(strategy, lambda: interrupts.requested)
    given = (config, model, data, augmentations, resume_from, trackers.eval)
    built = _build(*given, interrupts.check, together)
    pipeline, eval_dataset, detector, evaluate = built
    with strategy.scope():
        optimization = build_optimizer(config)
    if strategy.is_chief:
        mark_run(model_dir)
    interrupts.check()
    try:
        outcome = fit(
            detector,
            optimization,
            share_of(pipeline, strategy),
            plan,
            model_dir,
            metadata_writer(config, pipeline.label_map),
            interrupts,
            evaluate=evaluate,
            tracker=trackers.train,
            callbacks=[*callbacks, LogConfig(trackers, config)],
            resume_from=resume_from,
            recalibration=recalibration_of(config, detector, pipeline, strategy),
            strategy=strategy,
        )
    finally:
        pipeline.close()
        print_problems("training data", pipeline)
        print_problems("evaluation data", eval_dataset)
    if strategy.is_chief:
        _report(model_dir, outcome, plan, trackers)
    return outcome


def _report(
    model_dir: pathlib.Path, outcome: Outcome, plan: Plan, trackers: RunTrackers
) -> None:
    write_report(model_dir, outcome, plan)
    trackers.log_results(outcome)
    print_lines(*summary_lines(model_dir))


def _build(
    config: Config,
    model: GivenModel | None,
    data: GivenData,
    augmentations: Sequence[Augmentation],
    resume_from: ResumePoint | None,
    tracker: DetailedTracker,
    check: Callable[[], None] = lambda: None,
    together: Processes = _ALONE,
) -> tuple[Pipeline, Pipeline | None, Detector, Evaluator | None]:
    """Returns training data, evaluation data, the detector and its evaluation."""
    classes = resume_from.label_map if resume_from else None
    try:
        pipeline, eval_dataset = build_datasets(
            config, model, data, augmentations, classes
        )
    except UnknownClassError as error:
        raise resume_from.new_classes(error) if resume_from else error from error
    strategy = together.strategy
    check_same_data(strategy, pipeline, eval_dataset)
    surveys = None
    if strategy.is_chief:
        surveys = check_datasets(config, pipeline, eval_dataset)
    print_lines(*sampling_lines(config, pipeline.source, pipeline.order.repeats))
    check()
    choose_precision(config, pipeline, partial(freeze_named, config), check, strategy)
    with strategy.scope():
        detector = build_trained(config, pipeline, surveys, strategy)
    evaluate = None
    if eval_dataset is not None:
        classes = pipeline.label_map
        evaluate = Evaluator(config, eval_dataset, detector, classes, tracker, together)
    if resume_from is None:
        load_initial_weights(config, detector, model, pipeline.label_map)
    return pipeline, eval_dataset, detector, evaluate


def _dry_run(
    config: Config,
    model_dir: pathlib.Path,
    model: GivenModel | None,
    data: GivenData,
    augmentations: Sequence[Augmentation],
    strategy: Strategy,
) -> DryRun:
    """Builds everything, runs one batch and prints the plan; writes nothing."""
    seed_everything(options(config).seed, options(config).deterministic)
    plan = plan_of(config)
    resume_from, changes = _find_run(
        config, resume.find_checkpoint(model_dir, cleans=False)
    )
    print_lines(*changes)
    options(config).evaluation.max_images = max(1, config.eval_config.batch_size)
    given = (config, model, data, augmentations, resume_from, CombinedTracker([]))
    built = _build(*given, together=Processes(strategy))
    pipeline, eval_dataset, detector, evaluate = built
    if evaluate is not None:
        evaluate.explains = False
    with strategy.scope():
        optimization = build_optimizer(config)
    try:
        result = rehearse(
            detector,
            optimization,
            pipeline,
            plan,
            model_dir,
            eval_dataset=eval_dataset,
            evaluate=evaluate,
            resume_from=resume_from,
            strategy=strategy,
        )
    finally:
        pipeline.close()
        print_problems("training data", pipeline)
        print_problems("evaluation data", eval_dataset)
    print_lines(*result.lines())
    return result


def _find_run(
    config: Config, checkpoint: pathlib.Path | None
) -> tuple[ResumePoint | None, list[str]]:
    """Returns where a run is resumed, and lines about changes of the config.

    Of a new run, these are None and [].
    """
    if checkpoint is None:
        return None, []
    saved = load_config(checkpoint / folders.CONFIG)
    use_start_folder(saved, checkpoint)
    keep_precision(config, saved)
    found = resume.differences(saved, config)
    label_map = resume.find_label_map(checkpoint)
    point = ResumePoint(checkpoint, resume.same_data(found), label_map)
    return point, resume.lines(found)
