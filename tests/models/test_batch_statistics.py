"""Batch statistics are measured anew as the mean of those of batches."""

import keras
import numpy as np
import pytest
from keras import ops

from fake_detector import FakeDetector
from odapi.layers.group_statistics import per_group_statistics
from odapi.layers.norm import BatchNorm
from odapi.models.batch_statistics import BatchStatistics, moving_statistics, replaced
from odapi.structures import Batch, Groundtruth, ImageInfo
from tiny_detector import TinyDetector, make_batch

pytestmark = pytest.mark.backend


class NormDetector(FakeDetector):
    """One batch norm in `call`, one in the loss, one frozen and one never called."""

    def __init__(self, image_size=(1, 2)):
        super().__init__(2, image_size, losses=("classification_loss",))
        self.norm = BatchNorm(momentum=0.997, name="norm")
        self.loss_norm = BatchNorm(momentum=0.997, name="loss_norm")
        self.frozen_norm = BatchNorm(frozen=True, name="frozen_norm")
        self.spare_norm = BatchNorm(name="spare_norm")
        self.dropout = keras.layers.Dropout(0.5, seed=3)
        for layer in (self.norm, self.loss_norm, self.frozen_norm, self.spare_norm):
            layer.build((None, 1, 2, 3))
        self.built = True

    def call(self, inputs, training=False):
        x = ops.cast(inputs["images"], "float32")
        dropped = self.dropout(x, training=training)
        x = self.frozen_norm(self.norm(x, training=training), training=training)
        return {"x": x + 0.0 * dropped}

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        x = ops.cast(inputs["images"], "float32") + 1.0
        x = self.loss_norm(x, training=training)
        return {"Loss/classification_loss": ops.mean(x + outputs["x"])}

    def named_variables(self):
        layers = (self.norm, self.loss_norm, self.frozen_norm, self.spare_norm)
        return {f"{la.name}/{v.name}": v for la in layers for v in la.weights}


def batch(*pixels, width=2):
    """Returns images of one row whose three channels are equal."""
    images = np.array(pixels, "uint8").reshape(-1, 1, width, 1).repeat(3, axis=3)
    count = len(images)
    truth = Groundtruth(
        boxes=np.zeros((count, 1, 4), "float32"),
        classes=np.zeros((count, 1), "int32"),
        valid=np.ones((count, 1), bool),
        weights=np.ones((count, 1), "float32"),
    )
    sizes = np.full((count, 2), (1, width), "int32")
    return Batch(images, ImageInfo(sizes, sizes), truth, ("a",) * count)


def everything(detector):
    return [np.array(ops.convert_to_numpy(v)) for v in detector.variables]


def test_the_statistics_are_the_mean_of_those_of_batches():
    detector = NormDetector()
    before = everything(detector)
    # Mean 4, variance 20 / 3 (unbiased); mean 10, variance 0.
    found = BatchStatistics(detector).measure([batch(1, 3, 5, 7), batch(10, 10)])
    assert {name: value.tolist() for name, value in found.items()} == {
        "norm/moving_mean": [7.0] * 3,
        "norm/moving_variance": pytest.approx([10 / 3] * 3, rel=1e-6),
        "loss_norm/moving_mean": [8.0] * 3,
        "loss_norm/moving_variance": pytest.approx([10 / 3] * 3, rel=1e-6),
    }
    for old, new in zip(before, everything(detector), strict=True):
        np.testing.assert_array_equal(old, new)
    assert [detector.norm.momentum, detector.spare_norm.momentum] == [0.997, 0.99]


def test_equal_batches_count_each_and_images_may_have_many_sizes():
    detector = NormDetector(image_size=None)
    statistics = BatchStatistics(detector)
    batches = [
        batch(2, 4),
        batch(2, 4),
        *(batch(*[w] * w, width=w) for w in range(3, 7)),
    ]
    found = statistics.measure(batches)
    assert (
        found["norm/moving_mean"].tolist() == [4.0] * 3
    )  # (3 + 3 + 3 + 4 + 5 + 6) / 6
    again = statistics.measure([batch(2, 4)])
    assert again["norm/moving_mean"].tolist() == [3.0] * 3


def test_a_detector_has_statistics_within_a_context_only():
    detector = NormDetector()
    own = moving_statistics(detector)
    assert sorted({name.split("/")[0] for name in own}) == [
        "loss_norm",
        "norm",
        "spare_norm",
    ]
    with replaced(detector, {"norm/moving_mean": np.full(3, 5, "float32")}):
        assert moving_statistics(detector)["norm/moving_mean"].tolist() == [5.0] * 3
    assert moving_statistics(detector)["norm/moving_mean"].tolist() == [0.0] * 3


def test_frozen_layers_are_left_out():
    detector = TinyDetector()
    assert len(BatchStatistics(detector).norms) == 1
    detector.norm.trainable = False
    statistics = BatchStatistics(detector)
    assert statistics.norms == []
    assert statistics.measure([make_batch(0)]) == {}


def test_groups_without_momentum_are_averaged():
    norm = BatchNorm(momentum=0.0, name="norm")
    norm.build((None, 1, 1, 1))
    x = np.array([2, 4, 9, 0, 0, 0], "float32").reshape(6, 1, 1, 1)
    for weights, mean in (
        ([[1, 1], [1, 0], [0, 0]], 6.0),  # Groups with means 3 and 9, and padding.
        ([[0, 0], [0, 0], [0, 0]], 6.0),
    ):
        with per_group_statistics(ops.convert_to_tensor(np.float32(weights))):
            norm(x, training=True)
        assert ops.convert_to_numpy(norm.moving_mean).tolist() == [mean]
