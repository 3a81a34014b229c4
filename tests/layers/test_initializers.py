"""Initializers: distributions, and determinism by seed and name."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.initializers import (
    GLOROT_UNIFORM,
    Initializer,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
    distribution_by_name,
)

SHAPE = (3, 3, 64, 128)


def _draw(draw, shape=SHAPE):
    return draw(np.random.default_rng(0), shape)


@pytest.mark.parametrize(
    "draw, mean, std, most",
    [
        (RandomNormal(0.5, 0.1), 0.5, 0.1, 1.1),
        # A normal cut at two sigmas has a spread of 0.8796 sigma.
        (TruncatedNormal(0.0, 0.03), 0.0, 0.03 * 0.8796, 0.06),
        # fan_in = 9 * 64, fan_out = 9 * 128
        (VarianceScaling(2.0, "fan_in"), 0.0, (2 / 576) ** 0.5, 0.1341),
        (VarianceScaling(2.0, "fan_out"), 0.0, (2 / 1152) ** 0.5, 0.0948),
        (VarianceScaling(1.0, "fan_avg", True), 0.0, (1 / 864) ** 0.5, 0.05893),
        (GLOROT_UNIFORM, 0.0, (1 / 864) ** 0.5, 0.05893),
        (distribution_by_name("HeNormal"), 0.0, (2 / 576) ** 0.5, 0.1341),
        (distribution_by_name("glorot_uniform"), 0.0, (1 / 864) ** 0.5, 0.05893),
    ],
)
def test_weights_have_the_requested_distribution(draw, mean, std, most):
    values = _draw(draw)
    assert values.shape == SHAPE
    assert np.mean(values) == pytest.approx(mean, abs=0.01 * std)
    assert np.std(values) == pytest.approx(std, rel=0.01)
    assert np.abs(values).max() <= most


def test_distribution_of_a_keras_initializer():
    assert (_draw(distribution_by_name("ones"), (2, 3)) == 1).all()
    # Orthogonal is drawn by Keras itself, from the same seed.
    first, again = (_draw(distribution_by_name("orthogonal"), (4, 4)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first @ first.T, np.eye(4), atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [lambda: distribution_by_name("nonsense"), lambda: VarianceScaling(1.0, "fan")],
)
def test_unknown_distributions_are_rejected(make):
    with pytest.raises(ValueError):
        make()


@pytest.mark.backend
def test_seed_and_name_determine_the_weights_on_every_backend():
    def weights(seed, name):
        return ops.convert_to_numpy(Initializer(RandomNormal(), seed, name)((3,)))

    # numpy.random.default_rng([7, crc32(b"a/b")]).normal(size=3)
    expected = [0.964401, -1.651226, 1.130728]
    np.testing.assert_allclose(weights(7, "a/b"), expected, atol=1e-6)
    assert not np.allclose(weights(7, "a/b"), weights(7, "a/c"))
    assert not np.allclose(weights(7, "a/b"), weights(8, "a/b"))
