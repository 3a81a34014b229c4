"""`odapi.train`: trains a detector from a pipeline config or from a model."""

import os
import pathlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras

from odapi.build.dataset import build_eval_dataset, build_train_dataset
from odapi.build.detector import build_detector
from odapi.build.optimizer import build_optimizer
from odapi.build.precision import precision_of_keras
from odapi.build.sampling import sampling_lines
from odapi.build.tracker_settings import turn_on
from odapi.checkpoints import folder as folders
from odapi.checkpoints.metadata import metadata_writer
from odapi.checkpoints.run_folder import mark_run
from odapi.checkpoints.run_lock import locked
from odapi.checkpoints.start_folder import use_start_folder
from odapi.config.check import find, print_warnings
from odapi.config.findings import raise_errors
from odapi.config.load import Config, load_config, options
from odapi.data.augment.augmentation import Augmentation
from odapi.data.loader.pipeline import Pipeline
from odapi.data.sources.base import BaseSource
from odapi.data.sources.classes import UnknownClassError
from odapi.errors import DivergedError
from odapi.labels import LabelMap
from odapi.models.detector import Detector
from odapi.report.training_summary import summary_lines
from odapi.runtime.determinism import seed_everything
from odapi.runtime.interrupts import Interrupts
from odapi.trackers.tracker import Tracker
from odapi.training import resume
from odapi.training.auto_precision import (
    choose_precision,
    keep_precision,
    precision_lines,
)
from odapi.training.data_checks import check_data
from odapi.training.device_checks import check_batch_size
from odapi.training.epochs import steps_of
from odapi.training.evaluator import Evaluator
from odapi.training.finished_run import finished
from odapi.training.freeze import freeze
from odapi.training.given_data import Data, GivenData
from odapi.training.given_model import GivenModel, given_model
from odapi.training.initialize import initialize, initialize_from_model
from odapi.training.loop import fit
from odapi.training.messages import print_lines, print_problems
from odapi.training.plan import Outcome, Plan
from odapi.training.recalibration import Recalibration
from odapi.training.resume import ResumePoint
from odapi.training.run_trackers import RunTrackers
from odapi.training.summarize import write_divergence, write_report
from odapi.zoo.names.detector_keys import detector_keys


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
    batch_size: int | None = None,
    seed: int | None = None,
) -> Outcome:
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
        num_steps, batch_size: `train_config.num_steps`, `train_config.batch_size`.
        epochs: Length of the training in passes over the training images, instead of
            `num_steps`.
        seed: `options.seed`.

    Raises:
        ConfigError: The config cannot be trained, or differs too much from that of
            the run in `model_dir`.
        DataError: A dataset cannot be used, or a sample or an augmentation of yours
            has the wrong form.
        CheckpointError: A checkpoint cannot be read, the last cannot be written, or
            another training writes to `model_dir`.
        DivergedError: A loss became NaN or exploded.
    """
    model = given_model(config)
    data = GivenData(train_data, eval_data, classes)
    short = {
        **data.overrides(),
        "train_config.num_steps": num_steps,
        "train_config.batch_size": batch_size,
        "options.seed": seed,
    }
    given = [f"{path}={value}" for path, value in short.items() if value is not None]
    loaded = load_config(
        model.config if model else _run_config(config), [*overrides, *given]
    )
    if not options(loaded).HasField("precision"):
        loaded = load_config(loaded, _precision(precision_of_keras()))
    if epochs is not None:
        known = model.label_map if model else None
        loaded.train_config.num_steps = steps_of(epochs, num_steps, loaded, data, known)
    if model:  # Its weights take the place of these.
        loaded.train_config.ClearField("fine_tune_checkpoint")
        options(loaded).ClearField("backbone_weights")
    others = turn_on(loaded, trackers)
    replaced = data.replaced_fields()
    print_warnings(
        raise_errors(f for f in find(loaded) if not f.path.startswith(replaced))
    )
    check_batch_size(loaded.train_config.batch_size)
    folder = pathlib.Path(model_dir)
    with (
        Interrupts() as interrupts,
        locked(folder, print_lines),
        RunTrackers(loaded, folder, others) as run_trackers,
    ):
        try:
            return _run(
                loaded,
                folder,
                model,
                data,
                callbacks,
                augmentations,
                run_trackers,
                interrupts,
            )
        except KeyboardInterrupt:
            print_lines(_interrupted(folder))
            raise
        except DivergedError as error:
            write_divergence(folder, error)
            raise


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
) -> Outcome:
    """Builds everything, in the order in which mistakes are cheapest, and trains."""
    seed_everything(options(config).seed, options(config).deterministic)
    plan = plan_of(config)
    resume_from, changes = _find_run(config, model_dir)
    if resume_from is not None:
        evaluates = _evaluates(config, data)
        if outcome := finished(model_dir, resume_from.checkpoint, plan, evaluates):
            return outcome
        print_lines(f"Resuming from checkpoint {resume_from.checkpoint}", *changes)
    classes = resume_from.label_map if resume_from else None
    try:
        pipeline, eval_dataset = _build_datasets(
            config, model, data, augmentations, classes
        )
    except UnknownClassError as error:
        raise resume_from.new_classes(error) if resume_from else error from error
    _check_datasets(config, pipeline, eval_dataset)
    print_lines(*sampling_lines(config, pipeline.source, pipeline.order.repeats))
    interrupts.check()
    choose_precision(config, pipeline, partial(_freeze, config), interrupts.check)
    detector = _build_detector(config, pipeline)
    evaluate = None
    if eval_dataset is not None:
        classes = pipeline.label_map
        evaluate = Evaluator(config, eval_dataset, detector, classes, trackers.eval)
    if resume_from is None:
        _initialize(config, detector, model, pipeline.label_map)
    mark_run(model_dir)
    trackers.log_config(config)
    interrupts.check()
    try:
        outcome = fit(
            detector,
            build_optimizer(config),
            pipeline,
            plan,
            model_dir,
            metadata_writer(config, pipeline.label_map),
            interrupts,
            evaluate=evaluate,
            tracker=trackers.train,
            callbacks=callbacks,
            resume_from=resume_from,
            recalibration=_recalibration(config, detector, pipeline),
        )
    finally:
        pipeline.close()
        print_problems("training data", pipeline)
        print_problems("evaluation data", eval_dataset)
    _report(model_dir, outcome, plan, trackers)
    return outcome


def _report(
    model_dir: pathlib.Path, outcome: Outcome, plan: Plan, trackers: RunTrackers
) -> None:
    write_report(model_dir, outcome, plan)
    trackers.log_results(outcome)
    print_lines(*summary_lines(model_dir))


def _build_detector(config: Config, pipeline: Any) -> Detector:
    detector = build_detector(config, seed=options(config).seed)
    pipeline.select_fields(detector.groundtruth_fields)
    print_lines(*precision_lines(config, detector), *_freeze(config, detector))
    return detector


def _recalibration(
    config: Config, detector: Detector, pipeline: Any
) -> Recalibration | None:
    number = options(config).recalibrate_batch_norm
    if not number:
        return None
    return Recalibration(detector, number, pipeline.from_start)


def plan_of(config: Config) -> Plan:
    """Returns the settings of a run that a config asks for."""
    train, ours = config.train_config, options(config)
    return Plan(
        num_steps=train.num_steps,
        log_every=max(1, min(100, train.num_steps // 50)),
        save_every=ours.checkpoints.every_n_steps,
        keep=ours.checkpoints.keep,
        evaluate_every=ours.evaluation.every_n_steps,
        best_metric=ours.evaluation.best_metric,
        patience=ours.early_stopping.patience,
        min_delta=ours.early_stopping.min_delta,
        average=train.optimizer.use_moving_average
        and config.eval_config.use_moving_averages,
    )


def _find_run(
    config: Config, model_dir: pathlib.Path
) -> tuple[ResumePoint | None, list[str]]:
    """Returns the checkpoint to resume from, and lines about changes of the config.

    Of a new run, these are None and [].
    """
    checkpoint = resume.find_checkpoint(model_dir)
    if checkpoint is None:
        return None, []
    saved = load_config(checkpoint / folders.CONFIG)
    use_start_folder(saved, checkpoint)
    keep_precision(config, saved)
    found = resume.differences(saved, config)
    label_map = resume.find_label_map(checkpoint)
    point = ResumePoint(checkpoint, resume.same_data(found), label_map)
    return point, resume.lines(found)


def _evaluates(config: Config, data: GivenData) -> bool:
    return bool(
        data.has_eval_samples or options(config).eval_data or config.eval_input_reader
    )


def _build_datasets(
    config: Config,
    model: GivenModel | None,
    data: GivenData,
    augmentations: Sequence[Augmentation],
    run_classes: LabelMap | None,
) -> tuple[Pipeline, Pipeline | None]:
    """Returns the training data and, if there is any, the evaluation data.

    Both get the classes of the run that is resumed, if any.
    """
    known = model.label_map if model else None
    source = data.train_source(config, known, run_classes)
    pipeline = build_train_dataset(
        config, source=source, augmentations=augmentations, label_map=run_classes
    )
    if not _evaluates(config, data):
        return pipeline, None
    label_map = pipeline.label_map
    eval_source = data.eval_source(config, label_map)
    return pipeline, build_eval_dataset(config, label_map=label_map, source=eval_source)


def _check_datasets(
    config: Config, pipeline: Pipeline, evaluation: Pipeline | None
) -> None:
    source = evaluation.source if evaluation else None
    if isinstance(source, BaseSource) and source.name == pipeline.source.name:
        source = None  # Known to be the same: a warning about the config.
    if isinstance(pipeline.source, BaseSource):
        other = source if isinstance(source, BaseSource) else None
        check_data(pipeline.source, other, options(config).data_loading.allow)


def _freeze(config: Config, detector: Detector) -> list[str]:
    """Freezes the variables that the config names; returns lines about them."""
    train = config.train_config
    frozen, trained = train.freeze_variables, train.update_trainable_variables
    if not (frozen or trained):
        return []
    # Patterns may be written for the keys of TF2 checkpoints.
    return freeze(detector, frozen, trained, detector_keys(detector))


def _initialize(
    config: Config, detector: Detector, model: GivenModel | None, label_map: LabelMap
) -> None:
    """Loads initial weights, those of the given model or those the config names."""
    if model is not None:
        reports = [initialize_from_model(detector, model, label_map)]
    else:
        reports = initialize(config, detector, label_map)
    for report in reports:
        print_lines(*report.lines())
