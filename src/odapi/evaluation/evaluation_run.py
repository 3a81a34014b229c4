"""One pass over an evaluation dataset: groundtruth, detections, examples, result."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from odapi.data.sample import Sample
from odapi.data.sources.own_ids import own_image_ids
from odapi.errors import DataError
from odapi.evaluation.result import Arrays, EvaluationExample, EvaluationResult
from odapi.evaluation.sanity import SanityCheck
from odapi.inference.model import real_rows
from odapi.metrics.evaluator import Evaluator
from odapi.structures import Batch

_DUPLICATE = "duplicate image id; evaluated once"


class EvaluationRun:
    """State of one pass over a dataset: images are added, a result is made.

    Args:
        dataset: See `evaluate_loop`; or only its `source`, with `label_map`.
        evaluator: Receives the images; is reset first.
        num_examples: Number of images to keep for drawing, spread over the dataset.
        max_images: Stop after this number of images; 0: all.
        writer: `writer.add(image_id, detections, size)` is called for each image.
    """

    def __init__(
        self,
        dataset: Any,
        evaluator: Evaluator,
        num_examples: int,
        max_images: int,
        writer: Any,
    ):
        evaluator.reset()
        self._start = time.monotonic()
        self._dataset = dataset
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
        self._own_ids = dict(zip(ids or (), own_image_ids(self.source), strict=True))
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
        """Number of images so far, without those skipped."""
        return len(self._seen)

    @property
    def is_full(self) -> bool:
        """True once `max_images` are evaluated."""
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
        if self._is_duplicate(image_id):
            return
        try:
            truth = self._groundtruth(batch, i)
        except DataError as error:
            self._reasons[image_id] = error.problem
            return
        rows = real_rows(found, i)
        self._add(image_id, rows, truth, lambda: self._image(batch, i))

    def add_sample(self, sample: Sample, found: Arrays) -> None:
        """Adds an image of the source with its detections.

        Args:
            sample: With its image.
            found: `boxes`, `classes`, `scores` and so on, one row per detection.
        """
        image_id, image = sample["image_id"], sample["image"]
        if self._is_duplicate(image_id):
            return
        truth = {k: v for k, v in sample.items() if k != "image"}
        truth["size"] = image.shape[:2]
        self._add(image_id, found, truth, lambda: image)

    def skip(self, image_id: str, reason: str) -> None:
        """Counts an image of the source that cannot be used."""
        self._reasons[image_id] = reason

    def result(
        self, metrics: dict[str, float], is_trained: bool, explains: bool = True
    ) -> EvaluationResult:
        """Returns the result.

        Args:
            metrics: Of the evaluator, and others.
            is_trained: Whether low metrics may be explained by faults of the data.
            explains: Whether to look for a cause of low metrics at all.
        """
        evaluator, dataset = self.evaluator, self._dataset
        is_low = explains and evaluator.suspiciously_low()
        return EvaluationResult(
            metrics=metrics,
            categories=tuple(evaluator.per_class()),
            curves=evaluator.curves(),
            explanations=evaluator.explain(),
            hints=(
                *self.sanity.hints(is_low, is_trained),
                *evaluator.hints(),
            ),
            examples=tuple(self.examples),
            num_images=self.num_images,
            num_objects=self.num_objects,
            skipped=self.skipped(),
            seconds=time.monotonic() - self._start,
            label_map=getattr(dataset, "label_map", None),
            problems=getattr(dataset, "problems", None),
            best_score=self.sanity.best_score,
        )

    def check_used(self) -> None:
        """Raises DataError if no image was evaluated."""
        if not self.num_images:
            raise DataError(
                getattr(self.source, "name", "evaluation data"),
                f"no image could be evaluated; {len(self.skipped())} were skipped",
                hint="run `odapi data inspect` on it",
            )

    def _is_duplicate(self, image_id: str) -> bool:
        if image_id not in self._seen:
            return False
        self._reasons[image_id] = _DUPLICATE
        return True

    def _add(
        self,
        image_id: str,
        found: Arrays,
        truth: Arrays,
        image: Callable[[], np.ndarray],
    ) -> None:
        detections, num_broken = _finite(found)
        order = len(self._seen)
        self._seen.add(image_id)
        self.evaluator.update(image_id, truth, detections)
        self.sanity.update(truth, detections, num_broken)
        self.num_objects += _num_objects(truth)
        if self.writer is not None:
            own_id = self._own_ids.get(image_id, image_id)
            self.writer.add(own_id, detections, truth["size"])
        if order in self._wanted:
            example = EvaluationExample(image_id, image(), detections, truth)
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


def _finite(rows: Arrays) -> tuple[Arrays, int]:
    """Returns the finite detections of an image, and the number of other ones."""
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
