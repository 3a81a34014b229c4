"""Evaluation of a loaded detector, with its report."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

from odapi.build.dataset import build_eval_dataset
from odapi.build.metrics import build_metrics, keypoint_edges
from odapi.build.source import build_eval_source
from odapi.checkpoints.load_detector import LoadedDetector
from odapi.checkpoints.start_folder import with_start_folder
from odapi.console import console
from odapi.data.sample import Source
from odapi.data.sources.base import BaseSource
from odapi.data.survey import check_evaluation_source
from odapi.errors import DataError
from odapi.evaluation.evaluation_loop import evaluate_loop, evaluate_predictor_loop
from odapi.evaluation.result import EvaluationResult
from odapi.evaluation.result_report import low_score_hints, write_report
from odapi.files import write_json
from odapi.inference.predictor import Predictor
from odapi.inference.result_files import ResultsWriter, categories_of
from odapi.labels import LabelMap
from odapi.metrics.collection import MetricCollection
from odapi.metrics.evaluator import Evaluator
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import EVALUATION


def evaluate(
    loaded: LoadedDetector,
    *,
    output: str | os.PathLike | None = None,
    with_losses: bool = False,
    max_images: int = 0,
    evaluators: Sequence[Evaluator] = (),
) -> EvaluationResult:
    """Evaluates a detector with the data and the metrics of its config.

    Args:
        loaded: The detector with its config.
        output: Folder for `metrics.json`, `detections.json` (COCO results),
            `categories.csv` and drawn images; None writes nothing.
        with_losses: Also compute the losses, as `Loss/...`.
        max_images: Stop after this number of images; 0: all.
        evaluators: Evaluators to run in addition to those of `eval_config`.

    Raises:
        ConfigError: The config is invalid.
        DataError: The dataset cannot be read, or has no image.
        OutputError: `output` has files that odapi did not write, or cannot be written.
    """
    report = _report(output)
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
        loaded.step,
    )  # fmt: skip


def evaluate_program(
    predictor: Predictor,
    config: Any,
    *,
    output: str | os.PathLike | None = None,
    max_images: int = 0,
    evaluators: Sequence[Evaluator] = (),
    step: int | None = None,
) -> EvaluationResult:
    """Evaluates an exported program, such as a SavedModel, by running it.

    Args:
        predictor: The program. Without a label map, its class ids are taken as those
            of the dataset.
        config: Names the data and the metrics; the model in it is not used.
        output, max_images, evaluators: See `evaluate`.
        step: Number of training steps of the program, where known.

    Raises:
        ConfigError: The config is invalid.
        DataError: The dataset cannot be read, or has no image.
        OutputError: `output` has files that odapi did not write, or cannot be written.
    """
    report = _report(output)
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
        loop, config, source.label_map, report, max_images, evaluators, step
    )


def _report(output: str | os.PathLike | None) -> OutputFolder | None:
    """Returns the checked output folder."""
    return None if output is None else OutputFolder(output, EVALUATION)


def _reported(
    loop: Callable[..., EvaluationResult],
    config: Any,
    label_map: LabelMap,
    report: OutputFolder | None,
    max_images: int,
    evaluators: Sequence[Evaluator],
    step: int | None = None,
) -> EvaluationResult:
    """Runs an evaluation loop, and writes its detections and its report."""
    evaluator = build_metrics(config, label_map)
    if evaluators:
        evaluator = MetricCollection([evaluator, *evaluators])
    settings = config.eval_config
    with contextlib.ExitStack() as stack:
        writer = None
        if report is not None:
            folder = report.begin()
            writer = stack.enter_context(
                ResultsWriter(folder / "detections.json", label_map=label_map)
            )
        result = loop(
            evaluator,
            num_examples=settings.num_visualizations if report is not None else 0,
            max_images=max_images,
            writer=writer,
        )
    result = dataclasses.replace(
        result,
        step=step,
        label_map=label_map,
        keypoint_edges=keypoint_edges(settings),
        hints=(*result.hints, *low_score_hints(result, settings.min_score_threshold)),
    )
    if report is not None:
        files = write_report(
            folder,
            result,
            min_score=settings.min_score_threshold,
            max_boxes=settings.max_num_boxes_to_visualize,
        )
        files.append(folder / "detections.json")
        names = categories_of(label_map)
        report.finish([*files, write_json(folder / "label_map.json", names)])
    return result


def _warn_of(source: Source) -> None:
    """Prints mistakes of the dataset as a whole on standard error."""
    if not isinstance(source, BaseSource):
        return
    for finding in check_evaluation_source(source):
        console().print(f"warning: evaluation data: {finding}")
