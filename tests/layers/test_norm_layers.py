"""Normalization layers: statistics, freezing, groups."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.norm import BatchNorm, GroupNorm, Norm

pytestmark = pytest.mark.backend


def _numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize(
    "values, mean, variance",
    [
        # mean 1, variance 1, unbiased 2: 0.9 * 0 + 0.1 * 1 and 0.9 * 1 + 0.1 * 2
        ([0.0, 2.0], 0.1, 1.1),
        # mean 1, variance 0.5, unbiased 0.5 * 4 / 3
        ([0.0, 1.0, 1.0, 2.0], 0.1, 0.9 + 0.1 * 2 / 3),
        # One value: n / (n - 1) would be infinite.
        ([3.0], 0.3, 0.9),
    ],
)
def test_moving_statistics_use_the_unbiased_variance(values, mean, variance):
    norm = BatchNorm(momentum=0.9, epsilon=0.0 + 1e-3)
    x = np.array(values, np.float32).reshape(-1, 1, 1, 1)
    y = _numpy(norm(x, training=True)).ravel()
    expected = (np.array(values) - np.mean(values)) / np.sqrt(np.var(values) + 1e-3)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert _numpy(norm.moving_mean)[0] == pytest.approx(mean)
    assert _numpy(norm.moving_variance)[0] == pytest.approx(variance)


@pytest.mark.parametrize("how", ["inference", "train: false", "not trainable"])
def test_frozen_statistics_are_used_and_not_updated(how):
    norm = Norm(momentum=0.5, scale=True, train=how != "train: false").layer("norm")
    norm.trainable = how != "not trainable"
    x = np.array([[[[1.0]]], [[[3.0]]]], np.float32)
    y = _numpy(norm(x, training=how != "inference"))
    np.testing.assert_allclose(y, x / np.sqrt(1.001), rtol=1e-5)
    assert _numpy(norm.moving_mean).tolist() == [0.0]
    assert _numpy(norm.moving_variance).tolist() == [1.0]


def test_gamma_and_beta_are_trainable_with_frozen_statistics():
    norm = Norm(scale=True, train=False).layer("norm")
    norm.build((None, 4, 4, 2))
    assert [v.name for v in norm.trainable_variables] == ["gamma", "beta"]


@pytest.mark.parametrize("channels, groups", [(64, 32), (48, 16), (8, 8), (3, 1)])
def test_number_of_groups_divides_the_channels(channels, groups):
    norm = GroupNorm(name="norm")
    norm.build((None, 2, 2, channels))
    assert norm.groups == groups
    x = np.random.default_rng(0).normal(5, 2, (1, 8, 8, channels)).astype(np.float32)
    y = _numpy(norm(x))
    assert y.mean() == pytest.approx(0, abs=1e-4)
    assert y.std() == pytest.approx(1, abs=1e-3)


def test_synchronized_statistics_are_requested_with_replicas():
    norm = Norm("sync_batch").layer("norm")
    x = np.ones((2, 2, 2, 3), np.float32)
    assert _numpy(norm(x, training=True)).shape == x.shape


def test_unknown_kind_is_rejected():
    with pytest.raises(ValueError, match="kind"):
        Norm("layer")
