"""The evaluation loop: batches through a detector into metrics."""

import dataclasses
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from odapi.errors import DataError
from odapi.evaluation.sanity import Sanity
from odapi.inference.model import evaluation_model, real_rows, regularization_loss
from odapi.losses.names import REGULARIZATION_LOSS, TOTAL_LOSS
from odapi.metrics.coco import CategoryResult, CocoBoxMetrics
from odapi.metrics.several import SeveralMetrics
from odapi.progress import track
from odapi.structures import Batch

Arrays = dict[str, Any]


class Picture(NamedTuple):
    """An image to draw, with what was found and what is there."""

    image_id: str
    image: np.ndarray  # [h, w, 3] uint8, without padding
    detections: Arrays
    groundtruth: Arrays


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Args:
        metrics: By the original's names, with `Loss/...` where asked for; -1 means
            that there was nothing to measure.
        categories: A row a class.
        curves: Precision at IoU 0.5 at each of 101 recalls, by class.
        explanations: Why, for each metric that is -1.
        hints: What to look at, where numbers are suspiciously low.
        pictures: Some images, spread over the data.
        num_images: Images evaluated.
        num_objects: Groundtruth objects in them, without crowds.
        skipped: Reason by id, of each image that was not evaluated.
        seconds: Time that it took, with the first compilation.
        label_map: The classes.
        step: Of the checkpoint, where known.
        keypoint_edges: Pairs of keypoints to draw a line between; empty: as usual.
        problems: What was wrong with the data, as `odapi.data.problems` counts it;
            None where the data do not tell.
    """

    metrics: dict[str, float]
    categories: tuple[CategoryResult, ...]
    curves: dict[str, np.ndarray]
    explanations: dict[str, str]
    hints: tuple[str, ...]
    pictures: tuple[Picture, ...]
    num_images: int
    num_objects: int
    skipped: dict[str, str]
    seconds: float
    label_map: Any = None
    step: int | None = None
    problems: Any = None
    keypoint_edges: tuple[tuple[int, int], ...] = ()

    @property
    def images_per_second(self) -> float:
        """Images evaluated a second, reading and compiling included."""
        return self.num_images / max(self.seconds, 1e-9)


def evaluate_loop(
    detector: Any,
    dataset: Iterable[Batch],
    metrics: CocoBoxMetrics | SeveralMetrics,
    *,
    with_losses: bool = False,
    visualise: int = 10,
    max_images: int = 0,
    writer: Any = None,
    what: str = "evaluating",
) -> EvaluationResult:
    """Evaluates a detector with the weights that it has now.

    May be called any number of times, also between training steps: it compiles once
    a detector. Groundtruth comes whole from `dataset.source` where there is one, as
    that of a batch may be cut at `max_number_of_boxes`.

    Args:
        detector: A built `Detector`.
        dataset: One ordered pass over batches, the last one padded; where known
            with `source` (annotations by index, `image_ids`) and `num_images`.
        metrics: Is reset first.
        with_losses: Also average the losses, as `Loss/...`, padding left out but in
            the last batch.
        visualise: Images to keep for drawing, spread over the data.
        max_images: Stop after so many; 0: all.
        writer: Gets `writer.add(image_id, detections, size)` for each image.
        what: For the progress bar.

    Raises:
        DataError: The data set has no image that can be used.
    """
    start = time.monotonic()
    metrics.reset()
    run = _Run(dataset, metrics, visualise, max_images, writer)
    model = evaluation_model(detector, with_losses)
    for batch in track(dataset, what, run.num_batches):
        found, losses = model.run(
            batch.images, batch.info.true_size, batch.groundtruth, batch.side_inputs
        )
        run.add(batch, found, losses)
        if run.is_full:
            break
    if not metrics.num_images:
        raise DataError(
            getattr(getattr(dataset, "source", None), "name", "evaluation data"),
            f"no image could be evaluated; {len(run.skipped())} were skipped",
            hint="run `odapi data inspect` on it",
        )
    numbers = metrics.compute()
    if with_losses:
        numbers |= _mean_losses(run.losses, regularization_loss(detector))
    categories = metrics.per_category()
    return EvaluationResult(
        metrics=numbers,
        categories=categories,
        curves=metrics.curves(),
        explanations=metrics.explain(),
        hints=run.sanity.hints(metrics),
        pictures=tuple(run.pictures),
        num_images=metrics.num_images,
        num_objects=sum(row.num_objects for row in categories),
        skipped=run.skipped(),
        seconds=time.monotonic() - start,
        label_map=getattr(dataset, "label_map", None),
        problems=getattr(dataset, "problems", None),
    )


class _Run:
    """What one pass over the data collects."""

    def __init__(
        self,
        dataset: Any,
        metrics: CocoBoxMetrics | SeveralMetrics,
        visualise: int,
        max_images: int,
        writer: Any,
    ):
        self.source: Any = getattr(dataset, "source", None)
        self.metrics = metrics
        self.writer = writer
        self.max_images = max_images
        self.sanity = Sanity()
        self.losses: list[tuple[int, dict[str, float]]] = []
        self.pictures: list[Picture] = []
        ids = getattr(self.source, "image_ids", None)
        self._index = {image_id: n for n, image_id in enumerate(ids or ())}
        self._reasons: dict[str, str] = {}
        self._seen: set[str] = set()
        total = getattr(dataset, "num_images", None) or len(self._index)
        if max_images:
            total = min(total, max_images) or max_images
        self._wanted = _spread(total, visualise)
        size = getattr(dataset, "batch_size", None)
        self.num_batches = -(-total // size) if total and size else None

    @property
    def is_full(self) -> bool:
        return bool(self.max_images) and len(self._seen) >= self.max_images

    def add(
        self, batch: Batch, found: Mapping[str, np.ndarray], losses: dict[str, float]
    ) -> None:
        """Adds a batch; images that only pad it are left out."""
        number = len(batch.image_ids)
        real = np.ones(number, bool) if batch.real is None else np.asarray(batch.real)
        if losses:
            self.losses.append((int(real.sum()), losses))
        for i in np.flatnonzero(real):
            if self.is_full:
                return
            self._add_image(batch, found, int(i))

    def skipped(self) -> dict[str, str]:
        """Returns a reason for each image that was not evaluated."""
        if self.is_full:
            return dict(self._reasons)
        missing = (i for i in self._index if i not in self._seen)
        return self._reasons | {
            image_id: "the image could not be used; see the list of problems"
            for image_id in missing
            if image_id not in self._reasons
        }

    def _add_image(self, batch: Batch, found: Mapping[str, Any], i: int) -> None:
        image_id = batch.image_ids[i]
        if image_id in self._seen:
            self._reasons[image_id] = "came twice; counted once"
            return
        detections, broken = _detections(found, i)
        try:
            truth = self._groundtruth(batch, i)
        except DataError as error:
            self._reasons[image_id] = error.problem
            return
        order = len(self._seen)
        self._seen.add(image_id)
        self.metrics.update(image_id, truth, detections)
        self.sanity.update(truth, detections, broken)
        if self.writer is not None:
            self.writer.add(image_id, detections, truth["size"])
        if order in self._wanted:
            image = self._image(batch, i)
            self.pictures.append(Picture(image_id, image, detections, truth))

    def _groundtruth(self, batch: Batch, i: int) -> Arrays:
        index = self._index.get(batch.image_ids[i])
        if index is not None:
            return dict(self.source.annotations(index))
        return _batch_groundtruth(batch, i)

    def _image(self, batch: Batch, i: int) -> np.ndarray:
        """The image as it is on disk, where it can be read again."""
        index = self._index.get(batch.image_ids[i])
        if index is not None:
            return self.source[index]["image"]
        height, width = (int(v) for v in batch.info.true_size[i])
        return np.asarray(batch.images[i])[:height, :width]


def _spread(total: int, number: int) -> set[int]:
    """Indices of `number` of `total` images, the same at every evaluation."""
    if number <= 0:
        return set()
    if not total:
        return set(range(number))
    return {k * total // number for k in range(number)}


def _detections(found: Mapping[str, Any], i: int) -> tuple[Arrays, int]:
    """The objects found in image `i`, and how many were not finite and left out."""
    rows = real_rows(found, i)
    finite = np.isfinite(rows["boxes"]).all(axis=-1) & np.isfinite(rows["scores"])
    if finite.all():
        return rows, 0
    return {k: v[finite] for k, v in rows.items()}, int((~finite).sum())


def _batch_groundtruth(batch: Batch, i: int) -> Arrays:
    """Groundtruth of image `i` as a source would give it, padding removed."""
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


def _mean_losses(
    losses: list[tuple[int, dict[str, float]]], regularization: float | None
) -> dict[str, float]:
    """Losses averaged over images, and their total, by the original's names."""
    weights = np.array([weight for weight, _ in losses], float)
    means = {
        name: float(np.average([parts[name] for _, parts in losses], weights=weights))
        for name in losses[0][1]
    }
    if regularization is not None:
        means[REGULARIZATION_LOSS] = regularization
    return {**means, TOTAL_LOSS: sum(means.values())}
