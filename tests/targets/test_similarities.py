"""Similarities of objects and anchors; numbers by hand."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.targets import similarities

pytestmark = pytest.mark.backend

BOXES = np.array([[[0, 0, 2, 2], [0, 0, 4, 4]]], "float32")
ANCHORS = np.array([[0, 0, 2, 1], [0, 0, 2, 2], [5, 5, 6, 6]], "float32")

CASES = {
    "iou": (similarities.IouSimilarity(), [[0.5, 1, 0], [0.125, 0.25, 0]]),
    "ioa": (similarities.IoaSimilarity(), [[1, 1, 0], [1, 1, 0]]),
    "distance": (
        similarities.NegativeSquaredDistance(),
        [[-1, 0, -82], [-13, -8, -58]],
    ),
    "threshold": (similarities.ThresholdedIou(0.25), [[1, 1, 0], [0, 0, 0]]),
}


@pytest.mark.parametrize("name", CASES)
def test_similarity_of_all_pairs(name):
    similarity, want = CASES[name]
    got = similarity(ops.convert_to_tensor(BOXES), ops.convert_to_tensor(ANCHORS))
    assert_allclose(ops.convert_to_numpy(got), [want])


def test_thresholded_iou_returns_the_score():
    got = similarities.ThresholdedIou(0.2)(
        ops.convert_to_tensor(BOXES),
        ops.convert_to_tensor(ANCHORS),
        ops.convert_to_tensor([[0.5, 0.25]]),
    )
    assert_allclose(ops.convert_to_numpy(got), [[[0.5, 0.5, 0], [0, 0.25, 0]]])


def test_threshold_above_one_is_rejected():
    with pytest.raises(ValueError, match=r"iou_threshold must be in \[0, 1\], got 1.5"):
        similarities.ThresholdedIou(1.5)
