"""Losses of two-stage detectors; numbers by hand."""

import math

import numpy as np
import pytest
from keras import ops

from odapi.losses.classification import SigmoidLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.losses.rcnn import (
    BOX_CLASSIFICATION,
    BOX_LOCALIZATION,
    RPN_LOCALIZATION,
    RPN_OBJECTNESS,
    BoxClassifierLoss,
    ProposalLoss,
    codes_of_class,
)
from odapi.models.two_stage.proposal_sampler import RoiSample
from odapi.structures import AnchorTargets

pytestmark = pytest.mark.backend

_LOG_2, _LOG_3 = math.log(2), math.log(3)


def targets(match, classes, box_targets, weight=1.0):
    """Of one image; `classes` counts the background."""
    match = np.array([match], "int32")
    hot = np.eye(classes, dtype="float32")[np.where(match >= 0, 1, 0)]
    weights = np.where(match >= 0, weight, np.where(match == -1, 1.0, 0.0))
    return AnchorTargets(
        *(
            ops.convert_to_tensor(v.astype("float32"))
            for v in (
                hot,
                weights[..., None],
                np.array([box_targets]),
                np.where(match >= 0, weight, 0.0),
            )
        ),
        ops.convert_to_tensor(match),
    )


def all_of(candidates, positives, seed):
    return candidates


def rpn(loss, logits, found, valid_anchors=None):
    codes = ops.zeros((1, len(logits), 4))
    logits = ops.convert_to_tensor(np.array([logits], "float32"))
    valid_anchors = (
        None if valid_anchors is None else ops.convert_to_tensor(valid_anchors)
    )
    parts = loss(codes, logits, found, 0, valid_anchors)
    return [float(parts[name]) for name in (RPN_LOCALIZATION, RPN_OBJECTNESS)]


# Off by 0.5 and by 2: 0.5 * 0.5 ** 2 and 2 - 0.5.
_WANTED = [[0.5, 0, 0, 2.0], [9, 9, 9, 9], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("match", "valid_anchors", "localization", "objectness"),
    [
        ([0, -1, -1], None, 1.625 / 3, _LOG_2),
        ([0, -1, -2], None, 1.625 / 2, _LOG_2),  # The last is ignored.
        ([0, -1, -1], [True, False, False], 1.625, _LOG_2),
        ([-1, -1, -1], None, 0.0, _LOG_2),
        ([-2, -2, -2], None, 0.0, 0.0),  # Nothing to draw.
    ],
)
def test_rpn_losses_are_means_over_sampled_anchors(
    match, valid_anchors, localization, objectness
):
    loss = ProposalLoss(all_of, localization_weight=2.0, objectness_weight=3.0)
    found = rpn(loss, [[0.0, 0.0]] * 3, targets(match, 2, _WANTED), valid_anchors)
    assert found == pytest.approx([2 * localization, 3 * objectness], rel=1e-5)


def test_object_weight_applies_to_the_codes_only():
    found = rpn(
        ProposalLoss(all_of), [[0.0, 0.0]] * 3, targets([0, -1, -1], 2, _WANTED)
    )
    light = targets([0, -1, -1], 2, _WANTED, weight=0.5)
    halved = rpn(ProposalLoss(all_of), [[0.0, 0.0]] * 3, light)
    assert halved == pytest.approx([found[0] / 2, found[1]], rel=1e-5)


def boxes(loss, match, valid=(True, True, True), codes=None, logits=None):
    codes = np.zeros((1, 3, 2, 4)) if codes is None else codes
    logits = np.zeros((1, 3, 3)) if logits is None else logits
    corners = np.array([[[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 0.1, 0.1]]], "float32")
    sample = RoiSample(
        ops.convert_to_tensor(corners),
        ops.convert_to_tensor([list(valid)]),
        targets(match, 3, _WANTED),
    )
    parts = loss(
        ops.convert_to_tensor(codes.astype("float32")),
        ops.convert_to_tensor(logits.astype("float32")),
        sample,
    )
    return [float(parts[name]) for name in (BOX_LOCALIZATION, BOX_CLASSIFICATION)]


@pytest.mark.parametrize(
    ("match", "valid", "expected"),
    [
        ([0, -1, -1], (True, True, True), [1.625 / 3, _LOG_3]),
        ([0, -1, -1], (True, True, False), [1.625 / 2, _LOG_3]),
        ([0, -1, -1], (False, False, False), [0.0, 0.0]),
        ([-1, -1, -1], (True, True, True), [0.0, _LOG_3]),
    ],
)
def test_box_losses_are_means_over_valid_regions(match, valid, expected):
    loss = BoxClassifierLoss(localization_weight=2.0, classification_weight=3.0)
    expected = [2 * expected[0], 3 * expected[1]]
    assert boxes(loss, match, valid) == pytest.approx(expected, rel=1e-5)


def test_losses_per_class_are_summed():
    loss = BoxClassifierLoss(classification=SigmoidLoss())
    assert boxes(loss, [0, -1, -1])[1] == pytest.approx(3 * _LOG_2, rel=1e-5)


@pytest.mark.parametrize(("size", "kept"), [(1, 1), (2, 2), (3, 2)])
def test_miner_keeps_the_hardest_regions_after_nms(size, kept):
    # The second region overlaps the first by 0.9.
    miner = HardExampleMiner(size=size, iou_threshold=0.7)
    found = boxes(BoxClassifierLoss(miner=miner), [0, -1, -1])
    assert found == pytest.approx([1.625 / 3, kept * _LOG_3 / 3], rel=1e-5)


def test_codes_of_the_target_class_are_selected():
    codes = np.arange(16, dtype="float32").reshape(1, 2, 2, 4)
    hot = np.array([[[0, 0, 1], [1, 0, 0]]], "float32")
    found = ops.convert_to_numpy(
        codes_of_class(*map(ops.convert_to_tensor, (codes, hot)))
    )
    assert found.tolist() == [[[4, 5, 6, 7], [0, 0, 0, 0]]]
    shared = codes[:, :, :1]
    found = codes_of_class(*map(ops.convert_to_tensor, (shared, hot)))
    assert ops.convert_to_numpy(found).tolist() == shared[:, :, 0].tolist()
