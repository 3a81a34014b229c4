"""A detector that is small enough to export in every test."""

import keras
import numpy as np
import pytest
from keras import ops

from fake_detector import FakeDetector
from odapi.structures import Detections

CELLS = 4 * 5


class TinyDetector(FakeDetector):
    """Predicts one box per cell of 8 x 8 pixels, and returns the ten best."""

    def __init__(self):
        super().__init__(num_classes=3, max_detections=10)
        self.conv = keras.layers.Conv2D(8, 3, strides=8, padding="same")
        self.norm = keras.layers.BatchNormalization()
        self.head = keras.layers.Conv2D(4 + 1 + self.num_classes, 1)

    def call(self, inputs, training=False):
        x = ops.cast(inputs["images"], "float32") / 127.5 - 1
        return {"cells": self.head(self.norm(self.conv(x)))}

    def decode(self, inputs, outputs, raw=False):
        x = outputs["cells"]
        batch = ops.shape(x)[0]
        cells = x.shape[1] * x.shape[2]
        x = ops.reshape(x, (batch, cells, 8))
        low, size = ops.split(ops.sigmoid(x[..., :4]), 2, axis=-1)
        boxes = ops.concatenate([low, low + size], -1)
        if "true_size" in inputs:
            true = ops.cast(inputs["true_size"], "float32")
            boxes = boxes / ops.concatenate([true, true], -1)[:, None] * 40
        scores = ops.sigmoid(8 * x[..., 4:])
        best, index = ops.top_k(ops.max(scores[..., 1:], -1), 10)
        found = ops.take_along_axis(scores, index[..., None], axis=1)
        return Detections(
            boxes=ops.take_along_axis(boxes, index[..., None], axis=1),
            scores=best,
            classes=ops.cast(ops.argmax(found[..., 1:], -1), "int32"),
            num=ops.sum(ops.cast(best > 0.5, "int32"), -1),
            multiclass_scores=found,
            anchor_indices=ops.cast(index, "int32"),
            raw_boxes=boxes if raw else None,
            raw_scores=scores if raw else None,
        )


@pytest.fixture(scope="session")
def tiny() -> TinyDetector:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow exports")
    keras.utils.set_random_seed(0)
    detector = TinyDetector()
    detector.detect({"images": np.zeros((1, 32, 40, 3), "float32")})
    rng = np.random.default_rng(0)
    detector.norm.moving_variance.assign(rng.uniform(0.5, 1, 8))
    detector.norm.moving_mean.assign(rng.normal(0, 0.1, 8))
    return detector
