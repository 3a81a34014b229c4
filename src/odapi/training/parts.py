"""Parts of a training that are built from its config: data, detector, weights."""

from collections.abc import Sequence
from typing import Any

from odapi.build.dataset import build_eval_dataset, build_train_dataset
from odapi.build.detector import build_detector
from odapi.config.load import Config, options
from odapi.data.augment.augmentation import Augmentation
from odapi.data.loader.pipeline import Pipeline
from odapi.data.sources.base import BaseSource
from odapi.labels import LabelMap
from odapi.models.detector import Detector
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.accumulation import accumulate
from odapi.training.auto_precision import precision_lines
from odapi.training.data_checks import Surveys, check_data
from odapi.training.device_checks import batch_norm_lines
from odapi.training.freeze import freeze
from odapi.training.given_data import GivenData
from odapi.training.given_model import GivenModel
from odapi.training.health import find_health, print_health
from odapi.training.initialize import initialize, initialize_from_model
from odapi.training.messages import print_lines
from odapi.training.plan import Plan, TimeLimit
from odapi.training.recalibration import Recalibration
from odapi.zoo.names.detector_keys import detector_keys

_SINGLE = Strategy()


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
        time_limit=TimeLimit(ours.max_hours) if ours.max_hours else None,
        accumulation=max(1, ours.gradient_accumulation),
        save_diverged=ours.health.save_diverged_step,
        allow=tuple(ours.health.allow),
    )


def has_evaluation(config: Config, data: GivenData) -> bool:
    """Returns whether a run has evaluation data."""
    return bool(
        data.has_eval_samples or options(config).eval_data or config.eval_input_reader
    )


def build_datasets(
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
    if not has_evaluation(config, data):
        return pipeline, None
    label_map = pipeline.label_map
    eval_source = data.eval_source(config, label_map)
    return pipeline, build_eval_dataset(config, label_map=label_map, source=eval_source)


def check_datasets(
    config: Config, pipeline: Pipeline, evaluation: Pipeline | None
) -> Surveys:
    """Checks whole datasets before the first step; see `check_data`.

    Raises:
        DataError: The training data cannot be learned from.
    """
    source = evaluation.source if evaluation else None
    if isinstance(source, BaseSource) and source.name == pipeline.source.name:
        source = None  # Known to be the same: a warning about the config.
    if isinstance(pipeline.source, BaseSource):
        other = source if isinstance(source, BaseSource) else None
        return check_data(pipeline.source, other, options(config).data_loading.allow)
    return Surveys()


def freeze_named(config: Config, detector: Detector) -> list[str]:
    """Freezes the variables that the config names; returns lines about them."""
    train = config.train_config
    frozen, trained = train.freeze_variables, train.update_trainable_variables
    if not (frozen or trained):
        return []
    # Patterns may be written for the keys of TF2 checkpoints.
    return freeze(detector, frozen, trained, detector_keys(detector))


def load_initial_weights(
    config: Config, detector: Detector, model: GivenModel | None, label_map: LabelMap
) -> None:
    """Loads initial weights, those of the given model or those the config names."""
    if model is not None:
        reports = [initialize_from_model(detector, model, label_map)]
    else:
        reports = initialize(config, detector, label_map)
    for report in reports:
        print_lines(*report.lines())


def build_trained(
    config: Config,
    pipeline: Any,
    surveys: Surveys | None = None,
    strategy: Strategy = _SINGLE,
) -> Detector:
    """Returns the detector, with frozen variables, for the fields of the data.

    Args:
        config: A TrainEvalPipelineConfig.
        pipeline: The training data.
        surveys: What is known of the data, for health checks; None: none are made.
        strategy: The devices.

    Raises:
        ConfigError: The model cannot be built.
        DataError: The data lacks a field that the model learns.
    """
    detector = build_detector(config, seed=options(config).seed)
    pipeline.select_fields(detector.groundtruth_fields)
    print_lines(*precision_lines(config, detector), *freeze_named(config, detector))
    print_lines(*batch_norm_lines(detector, strategy))
    accumulate(detector, plan_of(config).accumulation)
    if surveys is not None:
        print_health(find_health(config, detector, *surveys))
    return detector


def recalibration_of(
    config: Config, detector: Detector, pipeline: Any, strategy: Strategy
) -> Recalibration | None:
    """Returns what re-estimates batch statistics; None without that option."""
    number = options(config).recalibrate_batch_norm
    if not number:
        return None
    return Recalibration(detector, number, pipeline.from_start, strategy)
