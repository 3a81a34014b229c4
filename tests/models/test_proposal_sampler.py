"""Sampling of four proposals."""

import numpy as np
import pytest
from keras import ops

from odapi.models.two_stage.proposal_sampler import ProposalSampler
from odapi.models.two_stage.proposals import Proposals
from odapi.structures import Groundtruth
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.coders import CenterSizeCoder
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.samplers import BalancedSampler
from odapi.targets.similarities import IouSimilarity

pytestmark = pytest.mark.backend

# The object itself, four fifths of it, something else, padding.
_BOXES = np.array(
    [[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.4], [0.5, 0.5, 1, 1], [0, 0, 0, 0]]], "float32"
)
_VALID = np.array([[True, True, True, False]])
_ASSIGNER = AnchorAssigner(CenterSizeCoder(), IouSimilarity(), ArgmaxMatcher(0.5))


def sample_of(sampler, weight=1.0, objects=1, seed=3):
    proposals = Proposals(
        *(ops.convert_to_tensor(v) for v in (_BOXES, np.zeros((1, 4), "float32"))),
        ops.convert_to_tensor(_VALID),
        ops.zeros((1, 4), "int32"),
    )
    truth = Groundtruth(
        boxes=ops.convert_to_tensor(_BOXES[:, :1]),
        classes=ops.convert_to_tensor(np.array([[1]], "int32")),
        valid=ops.convert_to_tensor(np.array([[objects > 0]])),
        weights=ops.convert_to_tensor(np.array([[weight]], "float32")),
    )
    found = ProposalSampler(_ASSIGNER, 2, sampler)(proposals, truth, seed)
    boxes, valid, match = (
        ops.convert_to_numpy(v) for v in (found.boxes, found.valid, found.targets.match)
    )
    return boxes[0], valid[0].tolist(), match[0].tolist(), found


def test_half_of_a_sample_matches_objects():
    boxes, valid, match, _ = sample_of(BalancedSampler(0.5, 2))
    assert valid == [True, True]
    assert match == [0, -1]
    assert boxes[0].tolist() in _BOXES[0, :2].tolist()
    assert boxes[1].tolist() == _BOXES[0, 2].tolist()


def test_sample_keeps_the_order_and_targets():
    boxes, valid, match, found = sample_of(BalancedSampler(1.0, 4))
    assert boxes.tolist() == _BOXES[0].tolist()
    assert valid == [True, True, True, False]
    assert match == [0, 0, -1, -1]
    classes = ops.convert_to_numpy(found.targets.class_targets)[0]
    assert classes.argmax(-1).tolist() == [2, 2, 0, 0]
    # The second is as high as the object and 0.05 left of it: 10 * 0.05 / 0.4, and
    # 5 * log(0.5 / 0.4).
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.targets.box_targets)[0, 1],
        [0, 1.25, 0, 5 * np.log(1.25)],
        atol=1e-5,
    )
    assert ops.convert_to_numpy(found.matched)[0].tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("sampler", "options", "valid", "match"),
    [
        # Neither an object without weight is drawn, nor padding.
        (BalancedSampler(0.5, 4), {"weight": 0.0}, [1, 0, 0, 0], [-1]),
        (BalancedSampler(0.5, 4), {"objects": 0}, [1, 1, 1, 0], [-1, -1, -1]),
        # Padding counts as background where samples are filled up.
        (BalancedSampler(0.5, 4, fill=True), {}, [1, 1, 1, 1], [0, 0, -1, -1]),
        # Without a sampler, or a seed, everything is taken.
        (None, {}, [1, 1, 1, 0], [0, 0, -1, -1]),
        (BalancedSampler(0.5, 1), {"seed": None}, [1, 1, 1, 0], [0, 0, -1, -1]),
        # More than there is.
        (BalancedSampler(1.0, 9), {}, [1, 1, 1, 0], [0, 0, -1]),
    ],
)
def test_edges_of_sampling(sampler, options, valid, match):
    _, found, matches, _ = sample_of(sampler, **options)
    assert found == [bool(v) for v in valid]
    assert matches[: len(match)] == match
