"""Localization losses; numbers by hand."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.losses import boxes as losses

CODES = [[0.0, 0.5, -2.0, 3.0]]
ZEROS = [[0.0] * 4]

CASES = {
    "l2": (losses.L2Loss(), (0.25 + 4 + 9) / 2),
    # 0.5 * 0.5**2, then |e| - 0.5 beyond 1.
    "smooth l1": (losses.SmoothL1Loss(), 0.125 + 1.5 + 2.5),
    # Beyond 2: 2 * |e| - 2.
    "smooth l1, delta 2": (losses.SmoothL1Loss(2.0), 0.125 + 2.0 + 4.0),
    "l1": (losses.L1Loss(), 5.5),
}


def run(loss, predictions, targets, weights):
    args = (ops.convert_to_tensor(np.asarray(a, "float32"))
            for a in (predictions, targets, weights))  # fmt: skip
    return ops.convert_to_numpy(loss(*args))


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_box_losses_by_hand(name):
    loss, want = CASES[name]
    assert not loss.on_boxes
    assert_allclose(run(loss, CODES, ZEROS, [1.0]), [want], rtol=1e-6)
    # The original squares the weight of L2 with the difference.
    half = 0.25 if name == "l2" else 0.5
    assert_allclose(run(loss, CODES, ZEROS, [0.5]), [want * half], rtol=1e-6)
    assert_allclose(run(loss, CODES, ZEROS, [0.0]), [0.0])


def test_l2_loss_of_the_original():
    # From losses_test.py of the original: 3 images, 10 anchors, 4 numbers.
    ones, zeros = np.ones((3, 10, 4)), np.zeros((3, 10, 4))
    weights = np.array([[1] * 10, [1] * 5 + [0] * 5, [0.5] * 10], "float32")
    got = run(losses.L2Loss(), ones, zeros, weights)
    assert_allclose(got.sum(), (10 + 5 + 10 / 4) * 4 / 2)


def test_smooth_l1_loss_of_the_original():
    codes = [[[2.5, 0, 0.4, 0], [0, 0, 0, 0], [0, 2.5, 0, 0.4]],
             [[3.5, 0, 0, 0], [0, 0.4, 0, 0.9], [0, 0, 1.5, 0]]]  # fmt: skip
    weights = [[2, 1, 1], [0, 3, 0]]
    got = run(losses.SmoothL1Loss(), codes, np.zeros((2, 3, 4)), weights)
    assert_allclose(got.sum(), 7.695, rtol=1e-5)  # losses_test.py


@pytest.mark.backend
def test_iou_losses_take_boxes():
    boxes = [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 1, 1]]
    others = [[0, 0, 1, 1], [1, 1, 3, 3], [2, 2, 3, 3]]
    iou, giou = losses.IouLoss(), losses.GiouLoss()
    assert iou.on_boxes
    assert giou.on_boxes
    weights = [1, 0.5, 1]
    assert_allclose(run(iou, boxes, others, weights), [0, 0.5 * 6 / 7, 1], atol=1e-6)
    want = [0, 0.5 * (1 - 1 / 7 + 2 / 9), 1 + 7 / 9]
    assert_allclose(run(giou, boxes, others, weights), want, atol=1e-6)


def test_delta_of_zero_is_rejected():
    with pytest.raises(ValueError, match="delta must be > 0, got 0"):
        losses.SmoothL1Loss(0.0)
