"""Logs the first images of a training, as the model gets them."""

from typing import Any

import keras
import numpy as np

from odapi.draw.image import draw_objects
from odapi.labels import LabelMap
from odapi.structures import Batch
from odapi.trackers.tracker import Tracker
from odapi.training.prefetcher import Prefetcher
from odapi.training.run_state import RunState

_TAG = "train_input_images"  # Of the TF Object Detection API.
_MAX_IMAGES = 3


class InputImages(keras.callbacks.Callback):
    """Draws some images of the first batch, augmented and padded, for a tracker.

    Args:
        state: State of the run.
        prefetcher: Source of the batches.
        tracker: Gets the images.
    """

    def __init__(self, state: RunState, prefetcher: Prefetcher, tracker: Tracker):
        super().__init__()
        self.state, self.prefetcher, self.tracker = state, prefetcher, tracker

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Logs the images after the first step of the run."""
        first = self.prefetcher.take_first_batch()
        if first is not None:
            label_map = getattr(self.prefetcher.pipeline, "label_map", None)
            self.tracker.images(self.state.step, _TAG, draw_inputs(first, label_map))


def draw_inputs(batch: Batch, label_map: LabelMap | None = None) -> list[np.ndarray]:
    """Returns some images of a batch, `[h, w, 3]` uint8, with their objects."""
    truth = batch.groundtruth
    drawn = []
    for i in range(min(_MAX_IMAGES, len(batch.images))):
        valid = np.asarray(truth.valid[i], bool)
        objects = {
            "boxes": np.asarray(truth.boxes[i])[valid],
            "classes": np.asarray(truth.classes[i])[valid],
        }
        drawn.append(draw_objects(np.asarray(batch.images[i]), objects, label_map))
    return drawn
