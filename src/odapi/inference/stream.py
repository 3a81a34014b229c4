"""Prediction as a stream: images in, one `Prediction` per image out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Self

import numpy as np

from odapi.errors import DataError
from odapi.inference.image_files import ReadImage
from odapi.inference.images import Images, batches
from odapi.inference.prediction import OPTIONAL, Prediction
from odapi.inference.predictor import Arrays
from odapi.inference.selection import Selection
from odapi.labels import LabelMap
from odapi.wording import counted

Predict = Callable[[Sequence[np.ndarray]], list[Arrays]]
_ALL_CLASSES = Selection()


class PredictionStream:
    """Iterator of predictions; the next images are read while it is consumed.

    Args:
        images: What to predict on.
        predict: A `Predictor`, or any callable of that form.
        label_map: The classes.
        selection: The objects to keep.
        batch_size: Images per call of `predict`.
        keypoint_edges: Pairs of keypoint ids that drawings connect.

    Attributes:
        skipped: Reason by file, of each image so far that could not be read.
        best_score: Highest score so far of the selected classes, including those below
            `min_score`.
        count: Images so far, without those skipped.
    """

    def __init__(
        self,
        images: Images,
        predict: Predict,
        label_map: LabelMap,
        selection: Selection = _ALL_CLASSES,
        batch_size: int = 8,
        keypoint_edges: tuple[tuple[int, int], ...] = (),
    ):
        self.skipped: dict[str, str] = {}
        self.best_score = 0.0
        self.count = 0
        self._images = images
        self._predict = predict
        self.label_map = label_map
        self._selection = selection
        self._batch_size = batch_size
        self._edges = keypoint_edges
        self._predictions = self._run()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Prediction:
        return next(self._predictions)

    @property
    def total(self) -> int | None:
        """Number of images, including those that cannot be read; None if unknown."""
        return self._images.total

    @property
    def ignored(self) -> dict[str, int]:
        """Number of files per suffix, of folders, that are no images."""
        return dict(self._images.ignored)

    @property
    def has_files(self) -> bool:
        """True if all images are files."""
        return self._images.from_files

    def _run(self) -> Iterator[Prediction]:
        for rows in batches(self._readable(), self._batch_size):
            found = self._predict([np.asarray(row.image) for row in rows])
            for row, objects in zip(rows, found, strict=True):
                self.count += 1
                self.best_score = max(self.best_score, self._best_score(objects))
                yield self._prediction(row, objects)
        if not self.count and self.skipped:
            name, reason = next(iter(self.skipped.items()))
            number = len(self.skipped)
            images = counted(number, "image")
            others = f"; none of {images} could be read" if number > 1 else ""
            raise DataError(name, f"{reason}{others}")

    def _readable(self) -> Iterator[ReadImage]:
        for row in self._images.rows:
            if row.image is None:
                self.skipped[str(row.path)] = row.problem
            else:
                yield row

    def _best_score(self, objects: Arrays) -> float:
        class_ids = np.asarray(objects["classes"], np.int32) + 1
        scores = np.asarray(objects["scores"], np.float32)
        wanted = scores[self._selection.of_classes(class_ids) & np.isfinite(scores)]
        return float(np.max(wanted, initial=0.0))

    def _prediction(self, row: ReadImage, objects: Arrays) -> Prediction:
        scores = np.asarray(objects["scores"], np.float32)
        boxes = np.asarray(objects["boxes"], np.float32).reshape(-1, 4)
        class_ids = np.asarray(objects["classes"], np.int32) + 1
        finite = np.isfinite(boxes).all(axis=-1)
        keep = self._selection.rows(np.where(finite, scores, 0), class_ids)
        image = np.asarray(row.image)
        return Prediction(
            image_id=self._images.ids.get(row.path, self.count),
            size=(image.shape[0], image.shape[1]),
            boxes=boxes[keep],
            scores=scores[keep],
            class_ids=class_ids[keep],
            label_map=self.label_map,
            path=row.path if row.path.name else None,
            keypoint_edges=self._edges,
            pixels=image,
            num_channels=image.shape[2],
            **{k: np.asarray(objects[k])[keep] for k in OPTIONAL if k in objects},
        )


def batch_size_for(total: int | None, batch_size: int) -> int:
    """Returns the images per call: 1 if they fill at most half a batch.

    A detector is compiled per batch size, so that there are two sizes only; a batch
    is padded, and a batch that is mostly padding would waste time.

    >>> [batch_size_for(n, 8) for n in (1, 4, 5, 100, None)]
    [1, 1, 8, 8, 8]
    """
    return batch_size if total is None or 2 * total > batch_size else 1
