"""Evaluation of a loaded detector, with its report."""

import contextlib
import dataclasses
import os
from collections.abc import Sequence

from odapi.build.dataset import build_eval_dataset
from odapi.build.metrics import build_metrics, keypoint_edges
from odapi.checkpoints.load_detector import LoadedDetector
from odapi.data.sample import Source
from odapi.data.sources.base import BaseSource
from odapi.data.survey import check_evaluation_source
from odapi.evaluation.evaluation_loop import EvaluationResult, evaluate_loop
from odapi.evaluation.result_report import write_report
from odapi.files import write_json
from odapi.inference.result_files import ResultsWriter, categories_of
from odapi.metrics.collection import MetricCollection
from odapi.metrics.evaluator import Evaluator
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import EVALUATION
from odapi.progress import console


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
    report = None if output is None else OutputFolder(output, EVALUATION)
    config = loaded.config.eval_config
    # Classes are matched by name to those of the model.
    dataset = build_eval_dataset(loaded.config, label_map=loaded.label_map)
    evaluator = build_metrics(loaded.config, loaded.label_map)
    if evaluators:
        evaluator = MetricCollection([evaluator, *evaluators])
    _warn_of(dataset.source)
    if with_losses:
        dataset.check_has(loaded.detector.groundtruth_fields)
    with contextlib.ExitStack() as stack:
        writer = None
        if report is not None:
            folder = report.begin()
            writer = stack.enter_context(
                ResultsWriter(folder / "detections.json", label_map=loaded.label_map)
            )
        result = evaluate_loop(
            loaded.detector,
            dataset,
            evaluator,
            with_losses=with_losses,
            num_examples=config.num_visualizations if report is not None else 0,
            max_images=max_images,
            writer=writer,
        )
    result = dataclasses.replace(
        result,
        step=loaded.step,
        label_map=loaded.label_map,
        keypoint_edges=keypoint_edges(config),
    )
    if report is not None:
        files = write_report(
            folder,
            result,
            min_score=config.min_score_threshold,
            max_boxes=config.max_num_boxes_to_visualize,
        )
        files.append(folder / "detections.json")
        names = categories_of(loaded.label_map)
        report.finish([*files, write_json(folder / "label_map.json", names)])
    return result


def _warn_of(source: Source) -> None:
    """Prints mistakes of the dataset as a whole on standard error."""
    if not isinstance(source, BaseSource):
        return
    for finding in check_evaluation_source(source):
        console().print(f"warning: evaluation data: {finding}")
