"""The evaluation loop: runs a detector over batches and updates an evaluator."""

import dataclasses
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from odapi.errors import DataError
from odapi.evaluation.sanity import SanityCheck
from odapi.inference.model import evaluation_model, real_rows, regularization_loss
from odapi.labels import LabelMap
from odapi.losses.names import REGULARIZATION_LOSS, TOTAL_LOSS
from odapi.metrics.evaluator import ClassResult, Evaluator
from odapi.models.detector import Detector
from odapi.progress import track
from odapi.structures import Batch

Arrays = dict[str, Any]


class EvaluationExample(NamedTuple):
    """An image to draw, with its detections and its groundtruth."""

    image_id: str
    image: np.ndarray  # [h, w, 3] uint8, without padding
    detections: Arrays
    groundtruth: Arrays


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Metrics of a detector on a dataset.

    Args:
        metrics: By the original's names, with optional `Loss/...`; -1 means that there
            was nothing to measure.
        categories: One row per class.
        curves: Precision at 101 recall values by class name, for COCO at IoU 0.5.
        explanations: Reason for each metric that is -1.
        hints: Likely causes, if the metrics are suspiciously low.
        examples: Some images to draw, spread over the dataset.
        num_images: Number of evaluated images.
        num_objects: Number of groundtruth objects in them, without crowds.
        skipped: Reason by image id, for each image that was not evaluated.
        seconds: Duration, including the first compilation.
        label_map: The classes.
        step: Of the checkpoint; None if unknown.
        keypoint_edges: Pairs of keypoints to connect in drawings; empty: the default
            skeleton.
        problems: Problems of the dataset, as counted by `odapi.data.problems`; None if
            the dataset does not count them.
    """

    metrics: dict[str, float]
    categories: tuple[ClassResult, ...]
    curves: dict[str, np.ndarray]
    explanations: dict[str, str]
    hints: tuple[str, ...]
    examples: tuple[EvaluationExample, ...]
    num_images: int
    num_objects: int
    skipped: dict[str, str]
    seconds: float
    label_map: LabelMap | None = None
    step: int | None = None
    problems: Any = None
    keypoint_edges: tuple[tuple[int, int], ...] = ()

    @property
    def images_per_second(self) -> float:
        """Evaluated images per second, including reading and compilation."""
        return self.num_images / max(self.seconds, 1e-9)


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

    Raises:
        DataError: The dataset has no usable image.
    """
    start = time.monotonic()
    evaluator.reset()
    run = _Run(dataset, evaluator, num_examples, max_images, writer)
    model = evaluation_model(detector, with_losses)
    for batch in track(dataset, "evaluating", run.num_batches):
        found, losses = model.run(
            batch.images, batch.info.true_size, batch.groundtruth, batch.side_inputs
        )
        run.add(batch, found, losses)
        if run.is_full:
            break
    if not run.num_images:
        raise DataError(
            getattr(getattr(dataset, "source", None), "name", "evaluation data"),
            f"no image could be evaluated; {len(run.skipped())} were skipped",
            hint="run `odapi data inspect` on it",
        )
    metrics = evaluator.compute()
    if with_losses:
        metrics |= _mean_losses(run.losses, regularization_loss(detector))
    return EvaluationResult(
        metrics=metrics,
        categories=tuple(evaluator.per_class()),
        curves=evaluator.curves(),
        explanations=evaluator.explain(),
        hints=(
            *run.sanity.hints(evaluator.suspiciously_low(), is_trained),
            *evaluator.hints(),
        ),
        examples=tuple(run.examples),
        num_images=run.num_images,
        num_objects=run.num_objects,
        skipped=run.skipped(),
        seconds=time.monotonic() - start,
        label_map=getattr(dataset, "label_map", None),
        problems=getattr(dataset, "problems", None),
    )


class _Run:
    """State of one pass over a dataset."""

    def __init__(
        self,
        dataset: Any,
        evaluator: Evaluator,
        num_examples: int,
        max_images: int,
        writer: Any,
    ):
        self.source: Any = getattr(dataset, "source", None)
        self.evaluator = evaluator
        self.writer = writer
        self.max_images = max_images
        self.sanity = SanityCheck(getattr(dataset, "label_map", None))
        self.num_objects = 0
        self.losses: list[tuple[int, dict[str, float]]] = []
        self.examples: list[EvaluationExample] = []
        ids = getattr(self.source, "image_ids", None)
        self._index = {image_id: n for n, image_id in enumerate(ids or ())}
        self._reasons: dict[str, str] = {}
        self._seen: set[str] = set()
        total = getattr(dataset, "num_images", None) or len(self._index)
        if max_images:
            total = min(total, max_images) or max_images
        self._wanted = _spread(total, num_examples)
        size = getattr(dataset, "batch_size", None)
        self.num_batches = -(-total // size) if total and size else None

    @property
    def num_images(self) -> int:
        return len(self._seen)

    @property
    def is_full(self) -> bool:
        return bool(self.max_images) and self.num_images >= self.max_images

    def add(
        self, batch: Batch, found: Mapping[str, np.ndarray], losses: dict[str, float]
    ) -> None:
        """Adds a batch, without the images that pad it."""
        number = len(batch.image_ids)
        real = np.ones(number, bool) if batch.real is None else np.asarray(batch.real)
        if losses:
            self.losses.append((int(real.sum()), losses))
        for i in np.flatnonzero(real):
            if self.is_full:
                return
            self._add_image(batch, found, int(i))

    def skipped(self) -> dict[str, str]:
        """Returns the reason for each image that was not evaluated."""
        if self.is_full:
            return dict(self._reasons)
        missing = (i for i in self._index if i not in self._seen)
        return self._reasons | {
            image_id: "the image is not usable; see the list of problems"
            for image_id in missing
            if image_id not in self._reasons
        }

    def _add_image(self, batch: Batch, found: Mapping[str, Any], i: int) -> None:
        image_id = batch.image_ids[i]
        if image_id in self._seen:
            self._reasons[image_id] = "duplicate image id; evaluated once"
            return
        detections, num_broken = _detections(found, i)
        try:
            truth = self._groundtruth(batch, i)
        except DataError as error:
            self._reasons[image_id] = error.problem
            return
        order = len(self._seen)
        self._seen.add(image_id)
        self.evaluator.update(image_id, truth, detections)
        self.sanity.update(truth, detections, num_broken)
        self.num_objects += _num_objects(truth)
        if self.writer is not None:
            self.writer.add(image_id, detections, truth["size"])
        if order in self._wanted:
            image = self._image(batch, i)
            example = EvaluationExample(image_id, image, detections, truth)
            self.examples.append(example)

    def _groundtruth(self, batch: Batch, i: int) -> Arrays:
        index = self._index.get(batch.image_ids[i])
        if index is not None:
            return dict(self.source.annotations(index))
        return _batch_groundtruth(batch, i)

    def _image(self, batch: Batch, i: int) -> np.ndarray:
        """Returns the original image if it can be read again, else the resized one."""
        index = self._index.get(batch.image_ids[i])
        if index is not None:
            return self.source[index]["image"]
        height, width = (int(v) for v in batch.info.true_size[i])
        return np.asarray(batch.images[i])[:height, :width]


def _spread(total: int, number: int) -> set[int]:
    """Returns indices of `number` of `total` images, equal in every evaluation."""
    if number <= 0:
        return set()
    if not total:
        return set(range(number))
    return {k * total // number for k in range(number)}


def _detections(found: Mapping[str, Any], i: int) -> tuple[Arrays, int]:
    """Returns the finite detections of image `i`, and the number of other ones."""
    rows = real_rows(found, i)
    finite = np.isfinite(rows["boxes"]).all(axis=-1) & np.isfinite(rows["scores"])
    if finite.all():
        return rows, 0
    return {k: v[finite] for k, v in rows.items()}, int((~finite).sum())


def _batch_groundtruth(batch: Batch, i: int) -> Arrays:
    """Returns the groundtruth of image `i` in the form of a source, without padding."""
    truth = batch.groundtruth
    valid = np.asarray(truth.valid[i], bool)
    padded = np.asarray(batch.images[i].shape[:2], np.float64)
    scale = np.tile(padded / np.asarray(batch.info.true_size[i]), 2)
    rows: Arrays = {
        "boxes": np.asarray(truth.boxes[i], np.float64)[valid] * scale,
        "classes": np.asarray(truth.classes[i])[valid],
        "size": tuple(int(v) for v in batch.info.original_size[i]),
    }
    for key in ("is_crowd", "difficult", "area", "keypoints", "keypoint_visibility"):
        value = getattr(truth, key)
        if value is not None:
            rows[key] = np.asarray(value[i])[valid]
    if "keypoints" in rows:
        rows["keypoints"] = rows["keypoints"] * scale[:2]
    return rows


def _num_objects(truth: Arrays) -> int:
    classes = np.asarray(truth["classes"])
    crowd = truth.get("is_crowd")
    return classes.size - (0 if crowd is None else int(np.count_nonzero(crowd)))


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
