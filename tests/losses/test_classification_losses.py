"""Classification losses: by hand, and against formulas in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.losses import classification as losses

LOGITS = np.array([[[-2.0, 0.5, 3.0], [0.0, -1.0, 1.0]]], "float32")
TARGETS = np.array([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]], "float32")
WEIGHTS = np.array([[[1.0], [0.5]]], "float32")
P = 1 / (1 + np.exp(-LOGITS.astype("float64")))
SOFTMAX = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)


def run(loss, logits=LOGITS, targets=TARGETS, weights=WEIGHTS):
    args = (
        ops.convert_to_tensor(np.asarray(a, "float32"))
        for a in (logits, targets, weights)
    )
    return ops.convert_to_numpy(loss(*args))


def cross_entropy(p, t):
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


PT = np.where(TARGETS == 1, P, 1 - P)
ALPHA = np.where(TARGETS == 1, 0.25, 0.75)
HARD = 0.7 * TARGETS + 0.3 * (P > 0.5)
SOFT = 0.7 * TARGETS + 0.3 * P
CASES = {
    "sigmoid": (losses.SigmoidLoss(), cross_entropy(P, TARGETS)),
    "focal": (
        losses.SigmoidFocalLoss(2.0, 0.25),
        ALPHA * (1 - PT) ** 2 * cross_entropy(P, TARGETS),
    ),
    "focal, no alpha": (
        losses.SigmoidFocalLoss(1.5),
        (1 - PT) ** 1.5 * cross_entropy(P, TARGETS),
    ),
    "focal, gamma 0": (losses.SigmoidFocalLoss(0.0), cross_entropy(P, TARGETS)),
    "bootstrapped": (losses.BootstrappedSigmoidLoss(0.7), cross_entropy(P, SOFT)),
    "bootstrapped, hard": (
        losses.BootstrappedSigmoidLoss(0.7, hard=True),
        cross_entropy(P, HARD),
    ),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_losses_per_logit(name):
    loss, want = CASES[name]
    assert_allclose(run(loss), want * WEIGHTS, rtol=1e-5)


@pytest.mark.backend
def test_softmax_loss_per_anchor():
    want = -np.log(SOFTMAX[TARGETS == 1])[None] * WEIGHTS[..., 0]
    assert_allclose(run(losses.SoftmaxLoss()), want, rtol=1e-5)
    scaled = run(losses.SoftmaxLoss(2.0), LOGITS * 2)
    assert_allclose(scaled, want, rtol=1e-5)


def test_softmax_uses_the_mean_weight_of_an_anchor():
    weights = np.array([[[1.0, 0.5, 0.0], [0.5, 0.5, 0.5]]])
    assert_allclose(run(losses.SoftmaxLoss(), weights=weights)[0, 0],
                    run(losses.SoftmaxLoss())[0, 0] / 2, rtol=1e-6)  # fmt: skip


@pytest.mark.backend
def test_softmax_against_logits():
    wanted = np.array([[[5.0, -5.0, 0.0], [0.0, 2.0, 2.0]]])
    teacher = np.exp(wanted) / np.exp(wanted).sum(-1, keepdims=True)
    want = -(teacher * np.log(SOFTMAX)).sum(-1) * WEIGHTS[..., 0]
    assert_allclose(
        run(losses.SoftmaxAgainstLogitsLoss(), targets=wanted), want, rtol=1e-5
    )


@pytest.mark.backend
@pytest.mark.parametrize(
    "loss",
    [losses.SigmoidLoss(), losses.SigmoidFocalLoss(2.0, 0.25), losses.SoftmaxLoss()],
)
def test_extreme_logits_have_finite_losses(loss):
    logits = np.array([[[-1000.0, 1000.0, -1000.0], [-1000.0, 1000.0, 1000.0]]])
    got = run(loss, logits)
    assert np.isfinite(got).all()
    # Anchor 0 is right: no loss at all. Anchor 1 misses its class by 1000.
    assert_allclose(got.reshape(1, 2, -1)[0, 0], 0, atol=1e-6)
    assert got.reshape(1, 2, -1)[0, 1].max() >= 0.25 * 1000 * 0.5


def test_sigmoid_loss_of_the_original():
    # From losses_test.py of the original, 2 images of 4 anchors: two anchors of one
    # image have a logit 0 (-log(.5) each); one of them has weight 0.5 for 3 classes.
    logits = [
        [[-100, 100, -100], [100, -100, -100], [100, 0, -100], [-100, -100, 100]],
        [[-100, 0, 100], [-100, 100, -100], [100, 100, 100], [0, 0, -1]],
    ]
    targets = [
        [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [0, 1, 0], [1, 1, 1], [1, 0, 0]],
    ]
    weights = np.ones((2, 4, 3))
    weights[1, 3] = 0
    got = run(losses.SigmoidLoss(), logits, targets, weights)
    assert_allclose(got.sum(), -2 * np.log(0.5), rtol=1e-5)


def heatmap(p):
    return np.log(p) - np.log(1 - np.asarray(p))


@pytest.mark.backend
def test_penalty_reduced_focal_loss_by_hand():
    # At a peak (1 - p)**2 * log(p); elsewhere (1 - t)**4 * p**2 * log(1 - p).
    got = run(
        losses.PenaltyReducedFocalLoss(2.0, 4.0),
        heatmap([0.5, 0.75, 0.25, 0.25]),
        [1.0, 1.0, 0.0, 0.5],
        [1.0, 0.5, 1.0, 1.0],
    )
    want = [
        -(0.5**2) * np.log(0.5),
        -0.5 * 0.25**2 * np.log(0.75),
        -(0.25**2) * np.log(0.75),
        -(0.5**4) * 0.25**2 * np.log(0.75),
    ]
    assert_allclose(got, want, rtol=1e-5)


def test_penalty_reduced_focal_loss_clips_probabilities():
    got = run(losses.PenaltyReducedFocalLoss(), [-100.0, 100.0], [1.0, 0.0], [1.0, 1.0])
    want = -((1 - 1e-4) ** 2) * np.log(1e-4)
    assert_allclose(got, [want, want], rtol=1e-2)


@pytest.mark.backend
def test_dice_loss_by_hand():
    p = np.array([[[0.9, 0.5], [0.1, 0.5], [0.5, 0.5]]])  # two classes, three places
    targets = np.zeros((1, 3, 2))
    targets[0, 0, 0] = 1
    ones = np.ones((1, 3, 1))
    # From losses_test.py of the original: 2 * 0.9 / (1.5 + 1); nothing for class 1.
    got = run(losses.DiceLoss(), heatmap(p), targets, ones)
    assert_allclose(got, [[1 - 1.8 / 2.5, 1.0]], rtol=1e-5)
    assert_allclose(
        run(losses.DiceLoss(probabilities=True), p, targets, ones), got, rtol=1e-5
    )
    squared = run(losses.DiceLoss(squared=True), heatmap(p), targets, ones)
    assert_allclose(squared[0, 0], 1 - 1.8 / (0.81 + 0.01 + 0.25 + 1), rtol=1e-5)
    # 2 * 0.9 / (0.9 ** 2 + 1), as in the paper. The original squares the overlap as
    # well: its loss is 1 - 2 * 0.81 / (0.81 + 1) = 0.105.
    loss, full = losses.DiceLoss(squared=True, probabilities=True), [[[1.0]]]
    one = run(loss, [[[0.9]]], full, full)
    assert_allclose(one, [[0.0055249]], rtol=1e-3)
    nothing = run(losses.DiceLoss(probabilities=True), p * 0, targets * 0, ones)
    assert_allclose(nothing, [[1.0, 1.0]])


@pytest.mark.backend
@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.5, 2.0])
def test_focal_gradient_is_finite_for_extreme_logits(gamma):
    loss = losses.SigmoidFocalLoss(gamma, 0.25)
    logits = np.array([[[-200.0, 0.0, 200.0]]], "float32")
    targets = ops.convert_to_tensor([[[0.0, 1.0, 1.0]]])
    got = gradient(lambda x: ops.sum(loss(x, targets, 1.0)), logits)
    assert np.isfinite(got).all()
    assert abs(got[0, 0, 1]) > 0.01


def gradient(function, x):
    """Gradient of a scalar function, on the backend that is active."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(x))
    x = ops.convert_to_tensor(x).detach().requires_grad_(True)
    function(x).backward()
    return ops.convert_to_numpy(x.grad)


BAD = {
    "gamma must be >= 0": lambda: losses.SigmoidFocalLoss(-1.0),
    "alpha must be in": lambda: losses.SigmoidFocalLoss(2.0, 1.5),
    "alpha must be in [0, 1], got -0.5": lambda: losses.BootstrappedSigmoidLoss(-0.5),
    "logit_scale must be > 0": lambda: losses.SoftmaxLoss(0.0),
    "logit_scale must be > 0, got -1": lambda: losses.SoftmaxAgainstLogitsLoss(-1.0),
    "alpha and beta must be >= 0": lambda: losses.PenaltyReducedFocalLoss(-1.0, 4.0),
}


@pytest.mark.parametrize("message", BAD)
def test_invalid_settings_are_rejected(message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        BAD[message]()
