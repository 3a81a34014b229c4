"""The evaluation loops: detections of a dataset update an evaluator."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from odapi.data.sources.base import BaseSource
from odapi.errors import DataError
from odapi.evaluation.evaluation_run import EvaluationRun
from odapi.evaluation.processes import Processes
from odapi.evaluation.result import Arrays, EvaluationResult
from odapi.inference.model import evaluation_model, regularization_loss
from odapi.labels import LabelMap
from odapi.losses.names import REGULARIZATION_LOSS, TOTAL_LOSS
from odapi.metrics.evaluator import Evaluator
from odapi.models.detector import Detector
from odapi.progress import track
from odapi.structures import Batch

_ALONE = Processes()


def evaluate_loop(
    detector: Detector,
    dataset: Iterable[Batch],
    evaluator: Evaluator,
    *,
    with_losses: bool = False,
    num_examples: int = 10,
    max_images: int = 0,
    writer: Any = None,
    is_trained: bool = True,
    explains: bool = True,
    processes: Processes = _ALONE,
) -> EvaluationResult:
    """Evaluates a detector with its current weights.

    May be called any number of times, also between training steps; the detector is
    compiled once while the caller holds `evaluation_model(detector, with_losses)`.
    Groundtruth is read from `dataset.source` if there is one, since that of a batch
    may be truncated to `max_number_of_boxes`.

    Args:
        detector: A built `Detector`.
        dataset: One ordered pass over batches, the last one padded; optional
            attributes are `source` (annotations by index, `image_ids`), `num_images`,
            `batch_size`, `label_map` and `problems`.
        evaluator: Is reset first.
        with_losses: Also average the losses, as `Loss/...`. The average of the last
            batch includes its padding.
        num_examples: Number of images to keep for drawing, spread over the dataset.
        max_images: Stop after this number of images; 0: all.
        writer: `writer.add(image_id, detections, size)` is called for each image.
        is_trained: Whether low metrics may be explained by faults of the data.
        explains: Whether to look for a cause of low metrics at all.
        processes: The processes that share the dataset; this is process 0, and the
            others call `evaluate_share`.

    Raises:
        DataError: The dataset has no usable image.
    """
    run = EvaluationRun(dataset, evaluator, num_examples, max_images, writer)
    model = evaluation_model(detector, with_losses)
    detected = processes.detect(model, dataset, lambda: run.is_full)
    for batch, found, losses in track(detected, "evaluating", run.num_batches):
        run.add(batch, found, losses)
    run.check_used()
    metrics = evaluator.compute()
    if with_losses:
        metrics |= _mean_losses(run.losses, regularization_loss(detector))
    return run.result(metrics, is_trained, explains)


def evaluate_share(
    detector: Detector,
    dataset: Iterable[Batch],
    processes: Processes,
    with_losses: bool = False,
) -> None:
    """Detects the share of another process than 0, which evaluates it.

    Args:
        detector, dataset, with_losses: As for `evaluate_loop` in process 0.
        processes: All of them.
    """
    model = evaluation_model(detector, with_losses)
    for _ in processes.detect(model, dataset, lambda: False):
        pass


def evaluate_predictor_loop(
    predict: Callable[[Sequence[np.ndarray]], list[Arrays]],
    source: BaseSource,
    evaluator: Evaluator,
    *,
    num_examples: int = 10,
    max_images: int = 0,
    writer: Any = None,
) -> EvaluationResult:
    """Evaluates a `Predictor`, such as an exported program, image by image.

    Args:
        predict: Finds objects in images.
        source: The dataset.
        evaluator: Is reset first.
        num_examples, max_images, writer: See `evaluate_loop`.

    Raises:
        DataError: The dataset has no usable image.
    """
    dataset = _SourceOnly(source, source.label_map, source.problems)
    run = EvaluationRun(dataset, evaluator, num_examples, max_images, writer)
    ids = source.image_ids
    total = min(max_images, len(ids)) if max_images else len(ids)
    for index in track(range(len(ids)), "evaluating", total):
        try:
            sample = source[index]
        except DataError as error:
            run.skip(ids[index], error.problem)
            continue
        (found,) = predict([sample["image"]])
        run.add_sample(sample, found)
        if run.is_full:
            break
    run.check_used()
    return run.result(evaluator.compute(), is_trained=True)


class _SourceOnly(NamedTuple):
    """The attributes of a dataset that `EvaluationRun` reads."""

    source: BaseSource
    label_map: LabelMap
    problems: Any


def _mean_losses(
    losses: list[tuple[int, dict[str, float]]], regularization: float | None
) -> dict[str, float]:
    """Returns losses averaged over images, and their total, by the original's names."""
    weights = np.array([weight for weight, _ in losses], float)
    means = {
        name: float(np.average([parts[name] for _, parts in losses], weights=weights))
        for name in losses[0][1]
    }
    if regularization is not None:
        means[REGULARIZATION_LOSS] = regularization
    return {**means, TOTAL_LOSS: sum(means.values())}
