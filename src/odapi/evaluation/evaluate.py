"""Evaluation of a loaded detector, with its report."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from odapi.build.dataset import build_eval_dataset
from odapi.build.metrics import build_metrics, keypoint_edges
from odapi.build.source import build_eval_source
from odapi.build.tracker_settings import config_text
from odapi.checkpoints import folder as folders
from odapi.checkpoints.load_detector import LoadedDetector
from odapi.checkpoints.start_folder import with_start_folder
from odapi.console import console
from odapi.data.sample import Source
from odapi.data.sources.base import BaseSource
from odapi.data.survey import check_evaluation_source
from odapi.errors import DataError
from odapi.evaluation.evaluation_loop import evaluate_loop, evaluate_predictor_loop
from odapi.evaluation.evaluation_trackers import EvaluationTrackers
from odapi.evaluation.result import EvaluationResult
from odapi.evaluation.result_report import low_score_hints, write_report
from odapi.files import write_json, write_text
from odapi.inference.predictor import Predictor
from odapi.inference.result_files import ResultsWriter, categories_of
from odapi.labels import LabelMap
from odapi.metrics.collection import MetricCollection
from odapi.metrics.evaluator import Evaluator
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import EVALUATION
from odapi.trackers.tracker import Tracker


def evaluate(
    loaded: LoadedDetector,
    *,
    output: str | os.PathLike | None = None,
    with_losses: bool = False,
    max_images: int = 0,
    evaluators: Sequence[Evaluator] = (),
    trackers: Sequence[Tracker] = (),
) -> EvaluationResult:
    """Evaluates a detector with the data and the metrics of its config.

    Args:
        loaded: The detector with its config.
        output: Folder for `metrics.json`, `detections.json` (COCO results),
            `categories.csv`, the config and drawn images; None writes nothing.
        with_losses: Also compute the losses, as `Loss/...`.
        max_images: Stop after this number of images; 0: all.
        evaluators: Evaluators to run in addition to those of `eval_config`.
        trackers: Trackers besides those of `options.trackers`.

    Raises:
        ConfigError: The config is invalid.
        DataError: The dataset cannot be read, or has no image.
        OutputError: `output` has files that odapi did not write, or cannot be written.
        MissingPackageError: The package of a tracker is not installed.
    """
    report = _report(output)
    recorded = EvaluationTrackers(
        loaded.config, str(loaded.folder), trackers, _folder(report)
    )
    # Classes are matched by name to those of the model.
    try:
        dataset = build_eval_dataset(loaded.config, label_map=loaded.label_map)
    except DataError as error:
        raise with_start_folder(error, loaded.folder) from error
    _warn_of(dataset.source)
    if with_losses:
        dataset.check_has(loaded.detector.groundtruth_fields)

    def loop(evaluator: Evaluator, **options: Any) -> EvaluationResult:
        detector = loaded.detector
        return evaluate_loop(
            detector, dataset, evaluator, with_losses=with_losses, **options
        )

    return _reported(
        loop, loaded.config, loaded.label_map, report, max_images, evaluators,
        recorded, loaded.step, loaded.detector.count_params(),
    )  # fmt: skip


def evaluate_program(
    predictor: Predictor,
    config: Any,
    *,
    output: str | os.PathLike | None = None,
    max_images: int = 0,
    evaluators: Sequence[Evaluator] = (),
    trackers: Sequence[Tracker] = (),
    model: str = "",
    step: int | None = None,
) -> EvaluationResult:
    """Evaluates an exported program, such as a SavedModel, by running it.

    Args:
        predictor: The program. Without a label map, its class ids are taken as those
            of the dataset.
        config: Names the data and the metrics; the model in it is not used.
        output, max_images, evaluators, trackers: See `evaluate`.
        model: Path of the program, for the trackers.
        step: Number of training steps of the program, where known.

    Raises:
        ConfigError: The config is invalid.
        DataError: The dataset cannot be read, or has no image.
        OutputError: `output` has files that odapi did not write, or cannot be written.
    """
    report = _report(output)
    recorded = EvaluationTrackers(config, model, trackers, _folder(report))
    source = build_eval_source(config, label_map=predictor.label_map or None)
    if not predictor.label_map:
        console().print(
            "note: the model does not name its classes; its ids are taken as those of "
            "the dataset (--label-map FILE names them)"
        )
    _warn_of(source)

    def loop(evaluator: Evaluator, **options: Any) -> EvaluationResult:
        return evaluate_predictor_loop(predictor, source, evaluator, **options)

    return _reported(
        loop, config, source.label_map, report, max_images, evaluators, recorded, step
    )


def _report(output: str | os.PathLike | None) -> OutputFolder | None:
    """Returns the checked output folder."""
    return None if output is None else OutputFolder(output, EVALUATION)


def _folder(report: OutputFolder | None) -> pathlib.Path | None:
    return None if report is None else report.path


def _reported(
    loop: Callable[..., EvaluationResult],
    config: Any,
    label_map: LabelMap,
    report: OutputFolder | None,
    max_images: int,
    evaluators: Sequence[Evaluator],
    trackers: EvaluationTrackers,
    step: int | None = None,
    num_parameters: int | None = None,
) -> EvaluationResult:
    """Runs an evaluation loop, and writes its detections, its report and records."""
    evaluator = build_metrics(config, label_map)
    if evaluators:
        evaluator = MetricCollection([evaluator, *evaluators])
    if report is not None:
        report.begin()  # Before a tracker writes into it.
    with trackers:
        trackers.log_config(step)
        has_images = report is not None or trackers.is_used
        number = config.eval_config.num_visualizations if has_images else 0
        result = _looped(loop, evaluator, label_map, report, number, max_images)
        settings = config.eval_config
        hints = low_score_hints(result, settings.min_score_threshold)
        result = dataclasses.replace(
            result,
            step=step,
            model=trackers.model,
            num_parameters=num_parameters,
            label_map=label_map,
            keypoint_edges=keypoint_edges(settings),
            hints=(*result.hints, *hints),
        )
        trackers.log_result(result, _written(report, result, config, label_map))
    return result


def _looped(
    loop: Callable[..., EvaluationResult],
    evaluator: Evaluator,
    label_map: LabelMap,
    report: OutputFolder | None,
    num_examples: int,
    max_images: int,
) -> EvaluationResult:
    """Runs an evaluation loop, and writes its detections."""
    with contextlib.ExitStack() as stack:
        writer = None
        if report is not None:
            path = report.path / "detections.json"
            writer = stack.enter_context(ResultsWriter(path, label_map=label_map))
        return loop(
            evaluator, num_examples=num_examples, max_images=max_images, writer=writer
        )


def _written(
    report: OutputFolder | None,
    result: EvaluationResult,
    config: Any,
    label_map: LabelMap,
) -> list[pathlib.Path]:
    """Writes the report, if there is one, and returns its files."""
    if report is None:
        return []
    files = write_report(
        report.path,
        result,
        min_score=config.eval_config.min_score_threshold,
        max_boxes=config.eval_config.max_num_boxes_to_visualize,
    )
    files.append(write_text(report.path / folders.CONFIG, config_text(config)))
    files.append(report.path / "detections.json")
    names = categories_of(label_map)
    files.append(write_json(report.path / "label_map.json", names))
    report.finish(files)
    return files


def _warn_of(source: Source) -> None:
    """Prints mistakes of the dataset as a whole on standard error."""
    if not isinstance(source, BaseSource):
        return
    for finding in check_evaluation_source(source):
        console().print(f"warning: evaluation data: {finding}")
