"""Batch normalization: kernels against the formula, gradients and moments."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.kernels.batch_norm import normalize, normalize_by_batch, torch_by_batch

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 6, 7)).astype(np.float32)
GAMMA = np.linspace(0.5, 2.0, 7).astype(np.float32)
BETA = np.linspace(-1.0, 1.0, 7).astype(np.float32)
EPSILON = 1e-3


def _expected(x, mean, variance, gamma=1.0, beta=0.0):
    """Algorithm 1 of Ioffe & Szegedy 2015, in float64."""
    return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta


def _moments(x):
    x = x.astype(np.float64)
    return x.mean((0, 1, 2)), x.var((0, 1, 2))


@pytest.mark.parametrize("gamma", [GAMMA, None])
@pytest.mark.parametrize("beta", [BETA, None])
def test_normalization_by_batch_moments_follows_the_paper(gamma, beta):
    outputs, mean, variance = normalize_by_batch(X, gamma, beta, EPSILON)
    expected_mean, expected_variance = _moments(X)
    factor, offset = 1.0 if gamma is None else gamma, 0.0 if beta is None else beta
    expected = _expected(X, expected_mean, expected_variance, factor, offset)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), expected, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(mean), expected_mean, rtol=1e-5)
    unbiased = expected_variance * 120 / 119
    np.testing.assert_allclose(ops.convert_to_numpy(variance), unbiased, rtol=1e-5)


@pytest.mark.parametrize("gamma", [GAMMA, None])
@pytest.mark.parametrize("beta", [BETA, None])
def test_normalization_by_given_moments_follows_the_paper(gamma, beta):
    mean, variance = BETA + 2.0, GAMMA * 3.0
    outputs = normalize(X, gamma, beta, mean, variance, EPSILON)
    factor, offset = 1.0 if gamma is None else gamma, 0.0 if beta is None else beta
    expected = _expected(X, mean, variance, factor, offset)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), expected, atol=1e-5)


@pytest.mark.parametrize(
    "shape, values, outputs, variance",
    [
        # One pixel: no spread, and n / (n - 1) has no value.
        ((1, 1, 1, 1), [3.0], [0.0], 0.0),
        # All alike.
        ((2, 1, 1, 1), [3.0, 3.0], [0.0, 0.0], 0.0),
        # mean 1, variance 1, unbiased 2; 1 / sqrt(1.001) = 0.9995
        ((2, 1, 1, 1), [0.0, 2.0], [-0.9995, 0.9995], 2.0),
    ],
)
def test_degenerate_batches(shape, values, outputs, variance):
    x = np.array(values, np.float32).reshape(shape)
    found, _, moved = normalize_by_batch(x, None, None, EPSILON)
    assert ops.convert_to_numpy(found).ravel() == pytest.approx(outputs, abs=1e-4)
    assert ops.convert_to_numpy(moved)[0] == pytest.approx(variance)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="torch's kernel")
@pytest.mark.parametrize("unbiased, factor", [(True, 120 / 119), (False, 1.0)])
def test_torch_gpu_kernel_returns_the_moments(unbiased, factor):
    outputs, mean, variance = torch_by_batch(X, GAMMA, BETA, EPSILON, unbiased)
    expected_mean, expected_variance = _moments(X)
    expected = _expected(X, expected_mean, expected_variance, GAMMA, BETA)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), expected, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(mean), expected_mean, rtol=1e-5)
    variance = ops.convert_to_numpy(variance)
    np.testing.assert_allclose(variance, factor * expected_variance, rtol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [("bfloat16", 3e-2), ("float16", 4e-3)])
def test_half_precision_keeps_its_dtype_with_float32_moments(dtype, tolerance):
    x = ops.cast(X, dtype)
    outputs, mean, _ = normalize_by_batch(x, GAMMA, BETA, EPSILON)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype
    assert keras.backend.standardize_dtype(mean.dtype) == "float32"
    rounded = ops.convert_to_numpy(ops.cast(x, "float32"))
    expected = _expected(rounded, *_moments(rounded), GAMMA, BETA)
    found = ops.convert_to_numpy(ops.cast(outputs, "float32"))
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=tolerance)


def test_gradient_equals_that_of_the_formula():
    rng = np.random.default_rng(1)
    slope = rng.normal(size=X.shape).astype(np.float32)
    found = _GRADIENTS[keras.backend.backend()](slope)
    # Section 3 of Ioffe & Szegedy 2015, with n values a channel.
    x, n = X.astype(np.float64), X[..., 0].size
    mean, variance = _moments(X)
    inverse = 1.0 / np.sqrt(variance + EPSILON)
    unit = (x - mean) * inverse
    of_beta, of_gamma = slope.sum((0, 1, 2)), (slope * unit).sum((0, 1, 2))
    of_x = GAMMA * inverse * (slope - (of_beta + unit * of_gamma) / n)
    for value, expected in zip(found, (of_x, of_gamma, of_beta), strict=True):
        np.testing.assert_allclose(value, expected, atol=2e-5)


def _loss(x, gamma, beta, slope):
    return ops.sum(normalize_by_batch(x, gamma, beta, EPSILON)[0] * slope)


def _tensorflow(slope):
    import tensorflow as tf

    inputs = [tf.constant(v) for v in (X, GAMMA, BETA)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = _loss(*inputs, slope)
    return [g.numpy() for g in tape.gradient(loss, inputs)]


def _jax(slope):
    import jax

    return [np.asarray(g) for g in jax.grad(_loss, (0, 1, 2))(X, GAMMA, BETA, slope)]


def _torch(slope):
    import torch

    inputs = [torch.tensor(v, requires_grad=True) for v in (X, GAMMA, BETA)]
    _loss(*inputs, torch.tensor(slope)).backward()
    return [v.grad.numpy() for v in inputs]


_GRADIENTS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


def test_synchronized_moving_variance_is_biased():
    # The mean is 1 and the squares of the distances are 1, over two pixels.
    x = np.array([0.0, 2.0], np.float32).reshape(2, 1, 1, 1)
    _, mean, variance = normalize_by_batch(x, None, None, EPSILON, synchronized=True)
    assert ops.convert_to_numpy(mean) == pytest.approx([1.0])
    assert ops.convert_to_numpy(variance) == pytest.approx([1.0])
