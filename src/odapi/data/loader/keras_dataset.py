"""The input pipeline as a dataset of Keras, for `fit`, `evaluate` and `predict`."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from odapi.data.loader.pipeline import Pipeline
from odapi.fields import LABELED_CLASSES
from odapi.structures import Batch, model_inputs, present

Pair = tuple[dict[str, Any], dict[str, Any]]


class KerasDataset(keras.utils.PyDataset):
    """Batches of a pipeline as pairs of the input dict and the groundtruth dict.

    Training batches never end: an epoch is as many as hold each image once, and the
    next epoch continues where the last one ended. An evaluation epoch is one pass from
    the beginning. The index of a batch is ignored: the pipeline sets the order.

    Args:
        pipeline: Batches; it reads ahead itself, so that Keras needs no workers.
        max_boxes: Objects per image, the same for all batches.
    """

    def __init__(self, pipeline: Pipeline, max_boxes: int):
        super().__init__(workers=1, use_multiprocessing=False)
        self.pipeline = pipeline
        self.max_boxes = max_boxes
        self._batches: Iterator[Batch] | None = None
        self._training = pipeline.order.training

    def __len__(self) -> int:
        """Returns the number of batches per epoch."""
        passes = self.pipeline.num_batches
        if passes is not None:
            return passes
        return max(self.pipeline.num_images // self.pipeline.batch_size, 1)

    def __getitem__(self, index: int) -> Pair:
        """Returns the next batch, whatever the index."""
        batch = self._next()
        inputs = model_inputs(batch, self.pipeline.pads)
        groundtruth = {
            name: value if name == LABELED_CLASSES else value[:, : self.max_boxes]
            for name, value in present(batch.groundtruth).items()
        }
        return _real(inputs, batch.real), _real(groundtruth, batch.real)

    def on_epoch_begin(self) -> None:
        """Starts an evaluation epoch at its beginning."""
        if not self._training:
            self._batches = None

    def close(self) -> None:
        """Stops the threads of the pipeline."""
        self._batches = None
        self.pipeline.close()

    def _next(self) -> Batch:
        for _ in range(2):
            if self._batches is None:
                self._batches = iter(self.pipeline)
            batch = next(self._batches, None)
            if batch is not None:
                return batch
            # Images that cannot be read make a pass shorter than `len`: start again.
            self._batches = None
        raise IndexError(f"{self.pipeline.source.name} has no batch")


def _real(values: dict[str, Any], real: np.ndarray | None) -> dict[str, np.ndarray]:
    """Returns arrays without the images that fill up the last batch."""
    if real is None or real.all():
        return {name: np.asarray(value) for name, value in values.items()}
    return {name: np.asarray(value)[real] for name, value in values.items()}
