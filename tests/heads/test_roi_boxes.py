"""Box head of Faster R-CNN with known weights."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.heads.roi_boxes import RoiBoxes, RoiBoxOptions
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.names import named_variables
from odapi.layers.norm import Norm

pytestmark = pytest.mark.backend


def _head(hyperparams=None, **options):
    head = RoiBoxes(RoiBoxOptions(**options), hyperparams or Hyperparams())
    head.build((None, 2, 2, 3))
    return head


def _run(head, features, **kwargs):
    outputs = head(ops.array(features), **kwargs)
    return [ops.convert_to_numpy(values) for values in outputs]


def test_means_of_the_features_count():
    head = _head(num_classes=2)
    for name, variable in named_variables(head).items():
        values = np.arange(np.prod(variable.shape)).reshape(variable.shape)
        variable.assign(values * (0.0 if "bias" in name else 1.0))
    features = np.zeros((1, 2, 2, 3), "float32")
    features[0, 1, 0] = [4, 0, 0]
    features[0, 0, 1] = [0, 0, 4]
    classes, boxes = _run(head, features)  # Rows 0 and 2 of the kernels, added.
    assert classes.tolist() == [[0 + 6, 1 + 7, 2 + 8]]
    assert boxes.tolist() == [[[16, 18, 20, 22], [24, 26, 28, 30]]]


@pytest.mark.parametrize(("shared", "boxes"), [(False, 5), (True, 1)])
def test_shapes(shared, boxes):
    head = _head(num_classes=5, code_size=7, share_boxes=shared)
    found = _run(head, np.zeros((4, 2, 2, 3), "float32"))
    assert [values.shape for values in found] == [(4, 6), (4, boxes, 7)]


def test_boxes_and_classes_have_separate_dropout():
    head = _head(num_classes=1, dropout=0.5)
    features = np.ones((64, 2, 2, 3), "float32")
    still = _run(head, features)
    assert_allclose(still[0], np.broadcast_to(still[0][:1], (64, 2)))
    moved = _run(head, features, training=True)
    assert len(np.unique(moved[0][:, 0])) > 4
    # Of 64 regions some have all features in one and not in the other.
    pairs = zip(moved, still, strict=True)
    whole = [np.isclose(m, 2 * s).reshape(64, -1).all(1) for m, s in pairs]
    assert (whole[0] != whole[1]).any()


def test_norm_follows_if_hyperparams_have_one():
    head = _head(Hyperparams(norm=Norm(scale=True), l2=0.5), num_classes=1)
    names = set(named_variables(head))
    assert {"class/kernel", "box/bias", "class_norm/gamma", "box_norm/beta"} <= names
    features = np.random.default_rng(0).normal(size=(50, 2, 2, 3)).astype("float32")
    classes, boxes = _run(head, features, training=True)
    assert_allclose(classes.mean(0), 0, atol=1e-5)
    assert_allclose(boxes.std(0), 1, atol=0.05)
    assert len(head.losses) == 2


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"num_classes": 0}, "num_classes"),
        ({"num_classes": 1, "dropout": 1.0}, "dropout"),
    ],
)
def test_options_that_make_no_sense(options, problem):
    with pytest.raises(ValueError, match=problem):
        RoiBoxOptions(**options)
