"""A detector that obeys the contract of models/detector.py and takes no time.

It predicts one object per image: class and box from the mean of a small convolution.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from fake_detector import FakeDetector
from odapi.labels import label_map_of
from odapi.models.detector import CLASSIFICATION
from odapi.structures import Batch, Groundtruth, ImageInfo

LABEL_MAP = label_map_of(["dark", "bright"])


class TinyDetector(FakeDetector):
    def __init__(self, num_classes=2, seed=1, dropout=0.0, **kwargs):
        super().__init__(num_classes, (16, 16), 1, **kwargs)
        start = keras.initializers.GlorotUniform(seed)
        self.conv = keras.layers.Conv2D(
            8,
            3,
            2,
            activation="relu",
            kernel_initializer=start,
            kernel_regularizer=keras.regularizers.L2(1e-3),
            name="conv",
        )
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.dropout = keras.layers.Dropout(dropout, seed=seed)
        self.head = keras.layers.Dense(
            num_classes + 4, kernel_initializer=start, name="head"
        )
        self.feature_extractor = keras.layers.Identity(name="feature_extractor")
        self.build_all()

    def build_all(self):
        self.conv.build((None, 16, 16, 3))
        self.norm.build((None, 7, 7, 8))
        self.dropout.build((None, 8))
        self.head.build((None, 8))
        self.built = True

    def call(self, inputs, training=False):
        x = ops.cast(inputs["images"], "float32") / 127.5 - 1.0
        x = ops.mean(self.norm(self.conv(x), training=training), axis=(1, 2))
        out = self.head(self.dropout(x, training=training))
        return {"classes": out[:, : self.num_classes], "boxes": out[:, -4:]}

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        classes = ops.one_hot(groundtruth.classes[:, 0], self.num_classes)
        loss = keras.losses.categorical_crossentropy(
            classes, outputs["classes"], from_logits=True
        )
        gap = ops.mean(ops.square(outputs["boxes"] - groundtruth.boxes[:, 0]), axis=-1)
        return {
            "Loss/localization_loss": ops.mean(gap),
            "Loss/classification_loss": ops.mean(loss),
        }

    def named_variables(self):
        places = {
            "feature_extractor/backbone/conv": self.conv,
            "feature_extractor/norm": self.norm,
            "box_predictor/head": self.head,
        }
        return {
            f"{p}/{v.name}": v for p, layer in places.items() for v in layer.weights
        }

    def variables_for(self, kind):
        if kind != CLASSIFICATION:
            return super().variables_for(kind)
        return {f"conv/{v.name}": v for v in self.conv.weights}


class TinyPipeline:
    """An endless, seeded stream whose batch depends on its number alone."""

    label_map = LABEL_MAP

    def __init__(self, batch_size=4, seed=0, delay=0.0):
        self.batch_size, self.seed, self.delay, self.next = batch_size, seed, delay, 0
        self.num_images = 64
        self.bad_at: dict[int, float] = {}

    def __iter__(self):
        while True:
            batch = make_batch(self.next, self.batch_size, self.seed)
            if self.next in self.bad_at:
                boxes = batch.groundtruth.boxes * self.bad_at[self.next]
                batch = batch._replace(
                    groundtruth=batch.groundtruth._replace(boxes=boxes)
                )
            self.next += 1
            yield batch

    def select_fields(self, fields):
        assert fields == ()

    def get_state(self):
        return {"next": self.next}

    def set_state(self, state):
        self.next = state["next"]

    def close(self):
        self.closed = True


def make_batch(number: int, size: int = 4, seed: int = 0) -> Batch:
    rng = np.random.default_rng([seed, number])
    classes = rng.integers(0, 2, (size, 1)).astype("int32")
    level = np.where(classes == 1, 160, 40)[:, :, None, None]
    noise = rng.integers(0, 60, (size, 16, 16, 3))
    truth = Groundtruth(
        boxes=rng.random((size, 1, 4)).astype("float32"),
        classes=classes,
        valid=np.ones((size, 1), bool),
        weights=np.ones((size, 1), "float32"),
    )
    sizes = np.full((size, 2), 16, "int32")
    return Batch(
        images=(level + noise).astype("uint8"),
        info=ImageInfo(sizes, sizes),
        groundtruth=truth,
        image_ids=tuple(f"image-{number}-{i}" for i in range(size)),
    )


class TinyResult(NamedTuple):
    metrics: dict[str, Any]
    images: tuple = ()
