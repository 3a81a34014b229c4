"""Gradient accumulation: the same updates as from the whole batch."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.ops import convert_to_numpy

import odapi
from odapi.config.rules.training import find_accumulation
from odapi.layers.norm import BatchNorm
from odapi.losses.normalizer import BatchTotals, batch_normalizer, one_per_update
from odapi.optim import optimizers
from odapi.optim.ema import averages_of
from odapi.runtime.compat import flatten_layers
from odapi.training.accumulation import accumulate
from odapi.training.parts import plan_of
from small_models import small_batch, small_config
from tiny_detector import TinyDetector

# Objects per image: a part of the batch has another number of them than the next.
_COUNTS = np.array([3, 0, 1, 2, 0, 3, 1, 0])


def _batch():
    x, y = small_batch(len(_COUNTS))
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 0.5, (8, 3, 2)).astype("float32")
    y["boxes"] = np.concatenate([corner, corner + 0.3], axis=-1)
    y["classes"] = rng.integers(0, 2, (8, 3)).astype("int32")
    y["valid"] = np.arange(3) < _COUNTS[:, None]
    y["weights"] = y["valid"].astype("float32")
    return x, y


class Normalized(TinyDetector):
    """Without batch norm; its loss is divided by the weights of the batch."""

    def __init__(self):
        super().__init__(seed=1)
        self.norm.trainable = False

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        gap = ops.mean(ops.square(outputs["boxes"] - groundtruth.boxes[:, 0]), axis=-1)
        weights = groundtruth.weights[:, 0]
        return {
            "Loss/localization_loss": ops.sum(gap * weights)
            / batch_normalizer(ops.sum(weights)),
            "Loss/classification_loss": ops.mean(outputs["classes"] ** 2),
        }


def _small(family):
    detector = odapi.build_detector(small_config(family), seed=3)
    for layer in flatten_layers(detector):
        if isinstance(layer, BatchNorm):
            layer.frozen = True  # As a model without batch norm.
    return detector, *_batch()


def _tiny():
    x, y = _batch()
    x = {"images": x["images"][:, :16, :16]}
    y = {name: value[:, :1] for name, value in y.items()}
    return Normalized(), x, y


def _trained(made, parts):
    detector, x, y = made
    optimizer = optimizers.make(
        keras.optimizers.SGD,
        average_decay=0.9,
        bias_factor=2.0,
        learning_rate=0.05,
        momentum=0.9,
        global_clipnorm=1.0,
    )
    detector.compile(optimizer=optimizer)
    accumulate(detector, parts)
    history = detector.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    arrays = list(detector.trainable_variables)
    arrays += [average for _, average in averages_of(optimizer)]
    assert int(convert_to_numpy(optimizer.iterations)) == 2
    return [convert_to_numpy(v) for v in arrays], history.history


def _check_equal(whole, parts):
    (arrays, losses), (others, same) = whole, parts
    for one, other in zip(arrays, others, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)
    assert same.keys() == losses.keys()
    for name in losses:  # Reported as of the whole batch.
        np.testing.assert_allclose(same[name], losses[name], rtol=1e-4)


@pytest.mark.backend
def test_parts_of_a_batch_give_the_update_of_the_batch():
    whole = _trained(_tiny(), 1)
    _check_equal(whole, _trained(_tiny(), 4))
    # Objects in parts are of another number: normalized by each, it would differ.
    assert whole[1]["Loss/localization_loss"][0] > 0


@pytest.mark.slow
def test_parts_of_a_batch_give_the_update_of_a_real_model():
    _check_equal(_trained(_small("ssd"), 1), _trained(_small("ssd"), 4))


def test_normalizers_of_parts_add_up_to_that_of_the_batch():
    recorder, sums = BatchTotals(), []
    for total in (3.0, 0.0):
        with recorder.used():
            assert float(batch_normalizer(total)) == max(total, 1.0)
        sums += recorder.recorded
    assert sums == [3.0, 0.0]
    with BatchTotals(parts=2, totals=[3.0, 0.0]).used():
        # The mean of 2 parts, each divided by 1.5, is the sum divided by 3.
        assert float(batch_normalizer(2.0)) == 1.5
        assert float(batch_normalizer(0.0)) == 0.5  # No object: not a division by 0.
        assert one_per_update() == 0.5
    assert (float(batch_normalizer(3.0)), one_per_update()) == (3.0, 1.0)


@pytest.mark.parametrize(
    ("batch", "parts", "problem"),
    [
        (8, 4, None),
        (8, 1, None),
        (8, 3, "is 3, which does not divide train_config.batch_size 8"),
        (2, 4, "is 4, which does not divide train_config.batch_size 2"),
    ],
)
def test_parts_must_divide_the_batch(batch, parts, problem):
    config = small_config(
        "ssd",
        f"train_config.batch_size={batch}",
        f"options.gradient_accumulation={parts}",
    )
    found = [f.problem for f in find_accumulation(config)]
    assert found == ([problem] if problem else [])
    assert plan_of(config).accumulation == parts


def test_a_batch_norm_is_updated_once_per_part():
    # Momentum 0.99 of Keras: moving means are m = 0.99 m + 0.01 x per part.
    detector = TinyDetector(seed=1)
    detector.compile(optimizer=keras.optimizers.SGD(0.0))
    accumulate(detector, 2)
    x = {"images": np.full((4, 16, 16, 3), 200, "uint8")}
    y = {"boxes": np.zeros((4, 1, 4), "float32"), "classes": np.zeros((4, 1), "int32")}
    before = convert_to_numpy(detector.norm.moving_variance)
    detector.fit(x, y, batch_size=4, verbose=0)
    after = convert_to_numpy(detector.norm.moving_variance)
    # The images are equal, and have one value per channel: the variance is 0.
    np.testing.assert_allclose(after, before * 0.99**2, rtol=1e-5)
