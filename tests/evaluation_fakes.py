"""A detector and data in memory, so that the loop is tested alone."""

import keras
import numpy as np
from keras import ops

from fake_detector import FakeDetector
from odapi.errors import DataError
from odapi.labels import label_map_of
from odapi.structures import Batch, Detections, Groundtruth, ImageInfo

LABEL_MAP = label_map_of(["square", "circle"])
SIZE = 32


class PixelDetector(FakeDetector):
    """Reads detections from the first pixels of an image; counts its traces.

    Row n of the image holds [y0, x0, y1, x1, class, score, valid] * 10 of object n, in
    the red channel.
    """

    def __init__(self, num_objects=3, **kwargs):
        super().__init__(2, (SIZE, SIZE), 3, **kwargs)
        self.num_objects = num_objects
        self.traces = 0
        self.bias = self.add_weight(shape=(), initializer="zeros", name="bias")
        self.kernel = self.add_weight(
            shape=(2,), initializer="ones", name="kernel",
            regularizer=keras.regularizers.L2(0.25),
        )  # fmt: skip
        self.built = True

    def call(self, inputs, training=False):
        self.traces += 1
        rows = ops.cast(inputs["images"][:, : self.num_objects, :7, 0], "float32")
        return {"rows": rows / 10.0}

    def decode(self, inputs, outputs, raw=False):
        rows = outputs["rows"]
        return Detections(
            boxes=rows[..., :4],
            scores=rows[..., 5] + self.bias,
            classes=ops.cast(ops.round(10 * rows[..., 4]), "int32"),
            num=ops.cast(ops.sum(rows[..., 6] > 0, axis=-1), "int32"),
        )

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        count = ops.mean(ops.sum(ops.cast(groundtruth.valid, "float32"), axis=-1))
        return {"Loss/localization_loss": count, "Loss/classification_loss": count * 2}


class FakeSource:
    """Images in memory. `bad` are those that cannot be read."""

    name = "memory"
    label_map = LABEL_MAP

    def __init__(self, samples, bad=()):
        self.samples = samples
        self.bad = set(bad)

    @property
    def image_ids(self):
        return [s["image_id"] for s in self.samples]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        if self.image_ids[index] in self.bad:
            raise DataError(self.image_ids[index], "damaged JPEG")
        return self.samples[index]

    def annotations(self, index):
        sample = dict(self[index])
        sample["size"] = sample.pop("image").shape[:2]
        return sample


class FakeDataset:
    """One ordered pass over a source, in padded batches."""

    label_map = LABEL_MAP

    def __init__(self, source, batch_size=2, max_boxes=2):
        self.source, self.batch_size, self.max_boxes = source, batch_size, max_boxes
        self.num_images = len(source)

    def check_has(self, fields):
        """Has all that there is."""

    def __iter__(self):
        indices = [i for i, n in enumerate(self.source.image_ids)
                   if n not in self.source.bad]  # fmt: skip
        for start in range(0, len(indices), self.batch_size):
            rows = indices[start : start + self.batch_size]
            real = np.arange(self.batch_size) < len(rows)
            rows += rows[-1:] * (self.batch_size - len(rows))
            yield self.batch([self.source[i] for i in rows], real)

    def batch(self, samples, real):
        number = len(samples)
        boxes = np.zeros((number, self.max_boxes, 4), "float32")
        classes = np.zeros((number, self.max_boxes), "int32")
        valid = np.zeros((number, self.max_boxes), bool)
        for i, sample in enumerate(samples):
            count = min(len(sample["boxes"]), self.max_boxes)
            boxes[i, :count] = sample["boxes"][:count]
            classes[i, :count] = sample["classes"][:count]
            valid[i, :count] = True
        return Batch(
            images=np.stack([s["image"][:SIZE, :SIZE] for s in samples]),
            info=ImageInfo(
                np.array([s["image"].shape[:2] for s in samples], "int32"),
                np.full((number, 2), SIZE, "int32"),
            ),
            groundtruth=Groundtruth(boxes, classes, valid, valid.astype("float32")),
            image_ids=tuple(s["image_id"] for s in samples),
            real=real,
        )


def sample(image_id, truth, found, size=SIZE):
    """An image with groundtruth [(y0, x0, y1, x1, class)] and detections (.., score).

    Coordinates are tenths of the image, scores tenths.
    """
    image = np.zeros((size, size, 3), "uint8")
    for row, (*box, index, score) in enumerate(found):
        image[row, :7, 0] = [*box, index, score, 1]
    rows = np.array(truth, "float32").reshape(-1, 5)
    return {
        "image": image,
        "image_id": image_id,
        "boxes": rows[:, :4] / 10,
        "classes": rows[:, 4].astype("int32"),
    }
