"""Mask losses; numbers by hand."""

import numpy as np
import pytest
from keras import ops

from odapi.geometry.affine import AffineTransform, transform_boxes, transform_images
from odapi.geometry.box_maps import exclusive_in_class, fill_boxes, neighbors
from odapi.losses.classification import DiceLoss, SigmoidLoss
from odapi.losses.color_space import rgb_to_lab
from odapi.losses.masks import (
    box_consistency_loss,
    feature_consistency_loss,
    mask_loss,
    point_loss,
    self_training_loss,
)
from odapi.models.center.mask_supervision import Jitter, WarmUp

pytestmark = pytest.mark.backend

LOG2 = float(np.log(2))


def t(values, dtype="float32"):
    return ops.convert_to_tensor(np.array(values, dtype))


def np_(x):
    return ops.convert_to_numpy(x)


ZEROS = np.zeros((1, 1, 2, 2))
HALF = [[[[1, 0], [1, 0]]]]


@pytest.mark.parametrize(
    ("loss", "normalize", "expected"),
    [
        (SigmoidLoss(), "auto", LOG2),
        # The sum over two pixels that are 1.
        (SigmoidLoss(), "groundtruth_count", 4 * LOG2 / 2),
        # Half of each kind.
        (SigmoidLoss(), "balanced", 2 * LOG2),
        # 1 - 2 * 1 / (2 + 2).
        (DiceLoss(), "auto", 0.5),
    ],
)
def test_mask_without_weight(loss, normalize, expected):
    found = mask_loss(loss, t(ZEROS), t(HALF), normalize=normalize)
    assert np_(found).ravel().tolist() == pytest.approx([expected], rel=1e-5)


def test_balanced_requires_a_loss_per_pixel():
    with pytest.raises(ValueError, match="normalize_balanced"):
        mask_loss(DiceLoss(), t(ZEROS), t(HALF), normalize="balanced")


@pytest.mark.parametrize(
    ("logits", "tight", "expected"),
    [
        # The box is the left column: its logits are 20 or -20.
        ([[20, -20], [20, -20]], False, 0.0),
        ([[-20, -20], [-20, -20]], False, 20.0 + 10.0),
        # Rows are reached from outside of the box; tight ones see 0, the box's edge.
        ([[-20, 20], [-20, 20]], False, 0.0 + 20.0),
        ([[-20, 20], [-20, 20]], True, LOG2 + 20.0),
    ],
)
def test_box_consistency_loss(logits, tight, expected):
    found = box_consistency_loss(SigmoidLoss(), t([[logits]]), t(HALF), tight=tight)
    assert np_(found).item() == pytest.approx(expected, abs=1e-4)


def test_feature_consistency_loss_of_similar_colors():
    gray = np.full((1, 3, 3, 3), 50.0)
    inside = np.ones((1, 1, 3, 3))
    same = feature_consistency_loss(
        t(np.full((1, 1, 3, 3), 9.0)), t(gray), t(inside), 1
    )
    split = np.full((1, 1, 3, 3), 9.0)
    split[..., 0] = -9.0
    apart = feature_consistency_loss(t(split), t(gray), t(inside), 1)
    # Beyond the edge there is black, which is not alike.
    assert np_(same).item() == pytest.approx(0.0, abs=0.02)
    # Seven pairs of cells, seen from both sides; -log(0.001) at most, over 9 cells.
    assert np_(apart).item() == pytest.approx(14 * 6.9078 / 9, rel=0.01)
    edge = np.where(np.arange(3)[None, None, :, None] == 0, 0.0, gray)
    unlike = feature_consistency_loss(t(split), t(edge), t(inside), 1)
    assert np_(unlike).item() == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("dice", 0.5), ("mse", 0.25), ("kl_div", LOG2)],
)
def test_self_training_loss(kind, expected):
    others = t(np.where(np.array(HALF) > 0, 50.0, -50.0))
    found = self_training_loss(t(ZEROS), others, t(np.ones((1, 1, 2, 2))), kind)
    assert np_(found).item() == pytest.approx(expected, rel=1e-4)


def test_point_loss_uses_the_nearest_cell():
    logits = t([[[[9, -9], [0, 0]]]])
    points = t([[[[0.1, 0.1], [0.1, 0.9], [np.nan, np.nan]]]])
    depths = t([[[1, 1, 1]]])
    # 0 and 9, and nothing, over three.
    found = point_loss(SigmoidLoss(), logits, points, depths)
    assert np_(found).item() == pytest.approx(3.0, abs=1e-3)
    assert np_(point_loss(SigmoidLoss(), logits, None, None)).item() == 0


def test_rgb_to_lab():
    # scikit-image's rgb2lab of red.
    found = np_(rgb_to_lab(t([1.0, 0.0, 0.0])))
    np.testing.assert_allclose(found, [53.2406, 80.0942, 67.2015], atol=0.02)


def test_fill_boxes_and_exclusive_cells():
    boxes = t([[[0, 0, 0.5, 0.5], [0.25, 0.25, 1, 1], [0, 0, 0, 0]]])
    filled = np_(fill_boxes(boxes, (4, 4)))[0]
    assert filled.sum(axis=(1, 2)).tolist() == [9, 9, 1]
    classes, valid = t([[0, 0, 0]], "int32"), t([[1, 1, 0]], "bool")
    alone = np_(exclusive_in_class(boxes, classes, valid, (4, 4)))[0, 0]
    assert (alone == 0).sum() == 4  # Cells 1 and 2 in both directions.
    others = t([[0, 1, 0]], "int32")
    assert np_(exclusive_in_class(boxes, others, valid, (4, 4))).min() == 1


def test_neighbors_are_shifted_maps():
    maps = t(np.arange(9).reshape(1, 3, 3, 1))
    found = np_(neighbors(maps, 1))[:, 0, 1, 1, 0]
    assert found.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert np_(neighbors(maps, 1))[0, 0, 0, 0, 0] == 0


def test_images_and_boxes_are_transformed_alike():
    image = np.zeros((1, 5, 5, 1))
    image[0, 1, 1] = 1
    motion = AffineTransform(t([0.25]), t([0.0]), t([1.0]), t([1.0]), t([True], "bool"))
    moved = np_(transform_images(t(image), motion))[0, ..., 0]
    # Mirrored to column 3, then one to the right.
    assert np.argwhere(moved > 0.5).tolist() == [[1, 4]]
    boxes = np_(transform_boxes(t([[[0.25, 0.25, 0.25, 0.25]]]), motion))
    np.testing.assert_allclose(boxes[0, 0], [0.25, 1.0, 0.25, 1.0], atol=1e-6)
    back = motion.inverse()
    again = transform_boxes(
        transform_boxes(
            t([[[0.1, 0.2, 0.5, 0.6]]]), motion._replace(flip=t([False], "bool"))
        ),
        back._replace(flip=t([False], "bool")),
    )
    np.testing.assert_allclose(np_(again)[0, 0], [0.1, 0.2, 0.5, 0.6], atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "least", "most"),
    [
        ("expand", 1.0, 1.5),
        ("shrink", 0.5, 1.0),
        ("default", 0.5, 1.5),
        ("expand_symmetric_xy", 1.0, 1.5),
        ("shrink_symmetric", 0.5, 1.0),
    ],
)
def test_box_jitter_is_within_bounds(mode, least, most):
    boxes = t(np.tile([0.4, 0.3, 0.6, 0.7], (1, 50, 1)))
    moved = np_(Jitter(0.5, mode)(boxes, 3))[0]
    grown = (moved[:, 2:] - moved[:, :2]) / [0.2, 0.4]
    assert (grown >= least - 1e-5).all() and (grown <= most + 1e-5).all()
    assert grown.std() > 0.05
    if "symmetric" in mode:
        np.testing.assert_allclose(
            (moved[:, :2] + moved[:, 2:]) / 2, [[0.5, 0.5]] * 50, atol=1e-5
        )
    if mode.endswith("xy"):
        np.testing.assert_allclose(grown[:, 0], grown[:, 1], rtol=1e-4)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.0), (10, 0.0), (15, 0.25), (30, 1.0), (None, 1.0)]
)
def test_weights_warm_up(step, expected):
    assert float(WarmUp(10, 20)(step)) == expected
    assert WarmUp(10, 0)(step) == 1.0
