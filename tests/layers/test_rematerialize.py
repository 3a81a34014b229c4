"""Rematerialization: the same losses, gradients and statistics, from less memory."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

import odapi
from odapi.config.check import find
from odapi.errors import ConfigError
from odapi.layers.rematerialize import Rematerialized
from small_models import small_batch, small_config


def _trained(on):
    config = small_config("ssd", f"options.rematerialization={on}")
    detector = odapi.build_detector(config, seed=3)
    detector.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9))
    x, y = small_batch()
    history = detector.fit(x, y, batch_size=2, epochs=2, verbose=0, shuffle=False)
    arrays = detector.named_variables()  # Statistics of batch norms, too.
    return {n: convert_to_numpy(v) for n, v in arrays.items()}, history.history


@pytest.mark.slow  # Minutes on JAX; the small net below is on every backend.
def test_two_updates_are_those_without_it():
    (plain, losses), (recomputed, same) = _trained("false"), _trained("true")
    for name in losses:
        np.testing.assert_allclose(same[name], losses[name], rtol=1e-5)
    for name in plain:
        np.testing.assert_allclose(recomputed[name], plain[name], atol=1e-5)


def _chain(*channels):
    images = keras.Input((None, None, 3))
    x = images
    for index, number in enumerate(channels):
        x = keras.layers.Conv2D(number, 3, padding="same", name=f"conv{index}")(x)
        x = keras.layers.Dropout(0.5, seed=index, name=f"drop{index}")(x)
    return keras.Model(images, [x])


class Net(keras.Model):
    """Convolutions with batch norm, computed again or not."""

    def __init__(self, recompute):
        super().__init__()
        images = keras.Input((None, None, 3))
        x = images
        for index in range(4):
            start = keras.initializers.GlorotUniform(index)
            x = keras.layers.Conv2D(4, 3, kernel_initializer=start)(x)
            x = keras.layers.BatchNormalization(momentum=0.5)(x)
        self.backbone = keras.Model(images, [x])
        self.recomputed = Rematerialized(self.backbone) if recompute else None

    def call(self, images, training=False):
        if training and self.recomputed is not None:
            return self.recomputed(images)[0]
        return self.backbone(images, training=training)  # A single output.


@pytest.mark.backend
def test_weights_and_statistics_of_a_small_net_are_those_without_it():
    x = np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype("float32")
    arrays = []
    for recompute in (False, True):
        net = Net(recompute)
        net.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        net.fit(x, np.ones((2, 4, 4, 4), "float32"), epochs=2, verbose=0)
        arrays.append([convert_to_numpy(v) for v in net.backbone.weights])
        assert not recompute or len(net.recomputed.blocks) > 1
    for plain, recomputed in zip(*arrays, strict=True):
        np.testing.assert_allclose(recomputed, plain, atol=1e-5)


def test_blocks_end_at_small_maps():
    model = _chain(64, 4, 64, 4, 64, 4)
    ends = [b.layers[-1].name for b in Rematerialized(model).blocks]
    assert len(ends) > 1
    assert {end.rstrip("012345") for end in ends} <= {"conv", "drop"}
    assert all(int(end[-1]) % 2 for end in ends)  # Those of 4 channels.


def test_a_shortcut_stays_within_a_block():
    images = keras.Input((None, None, 3))
    start = keras.layers.Conv2D(8, 3, padding="same", name="start")(images)
    x = start
    for index in range(3):
        x = keras.layers.Conv2D(8, 3, padding="same", name=f"inner{index}")(x)
    end = keras.layers.Add(name="end")([start, x])
    last = keras.layers.Conv2D(8, 3, padding="same", name="last")(end)
    blocks = Rematerialized(keras.Model(images, [end, last])).blocks
    assert [len(block.inputs) for block in blocks] == [1] * len(blocks)
    assert sum(len(block.layers) for block in blocks) == 6


def test_dropout_is_the_same_when_it_is_computed_again():
    model = _chain(4, 4)
    recomputed = Rematerialized(model)
    x = np.ones((1, 8, 8, 3), "float32")
    draws = [convert_to_numpy(recomputed(x)[0]) for _ in range(2)]
    assert (draws[0] != draws[1]).any()  # The seeds advance.


def test_a_backbone_without_blocks_is_refused():
    config = small_config(
        "center",
        "options.rematerialization=true",
        "model.center_net.feature_extractor.type=hourglass_10",
    )
    with pytest.raises(ConfigError, match=r"options\.rematerialization: is not avail"):
        odapi.build_detector(config)


def test_the_config_check_finds_a_backbone_without_blocks():
    config = small_config(
        "center",
        "options.rematerialization=true",
        "model.center_net.feature_extractor.type=hourglass_52",
    )
    paths = [f.path for f in find(config, for_data=False) if f.is_error]
    assert "options.rematerialization" in paths
