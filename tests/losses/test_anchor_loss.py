"""Loss of anchor detectors: normalization, decoding, mining, sampling."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.losses.anchor_loss import CLASSIFICATION, LOCALIZATION, AnchorLoss
from odapi.losses.boxes import GiouLoss, L1Loss, SmoothL1Loss
from odapi.losses.classification import SigmoidLoss, SoftmaxLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.structures import AnchorTargets
from odapi.targets.coders import CenterSizeCoder, MeanStddevCoder
from odapi.targets.samplers import BalancedSampler

ANCHORS = np.array([[0, 0, 1, 1], [0, 0, 2, 2], [5, 5, 6, 6]], "float32")
CODES = np.array([[[1, 0, 0, 0], [2, 2, 0, 0], [9, 9, 9, 9]]], "float32")
LOGITS = np.zeros((1, 3, 2), "float32")  # Sigmoid 0.5, so log(2) a number.
LOG_2 = np.log(2)


def targets(**fields):
    base = {
        "class_targets": [[[0, 1], [0, 1], [1, 0]]],
        "class_weights": [[[1], [0.5], [1]]],
        "box_targets": np.zeros((1, 3, 4)),
        "box_weights": [[1, 0.5, 0]],
        "match": np.array([[0, 1, -1]], "int32"),
    }
    arrays = (np.asarray((base | fields)[k]) for k in AnchorTargets._fields)
    kinds = ["float32"] * 4 + ["int32"]
    return AnchorTargets(
        *(
            ops.convert_to_tensor(a.astype(k))
            for a, k in zip(arrays, kinds, strict=True)
        )
    )


def loss_of(loss, given=None, codes=CODES, logits=LOGITS, seed=None):
    parts = loss(
        ops.convert_to_tensor(codes),
        ops.convert_to_tensor(logits),
        given or targets(),
        ops.convert_to_tensor(ANCHORS),
        seed=seed,
    )
    assert list(parts) == ["Loss/localization_loss", "Loss/classification_loss"]
    got = {k: float(ops.convert_to_numpy(v)) for k, v in parts.items()}
    return got[LOCALIZATION], got[CLASSIFICATION]


def plain(**options):
    return AnchorLoss(SigmoidLoss(), L1Loss(), MeanStddevCoder(1.0), **options)


# L1: 1 * 1 + 4 * 0.5 = 3. Classes: 2 * log(2) * (1 + 0.5 + 1). Matches: 1.5.
CASES = {
    "as it is": ({"normalize_by_matches": False}, 3, 5 * LOG_2),
    "by matches": ({}, 3 / 1.5, 5 * LOG_2 / 1.5),
    "by code size": ({"normalize_by_code_size": True}, 3 / 1.5 / 4, 5 * LOG_2 / 1.5),
    "weights": (
        {"localization_weight": 2.0, "classification_weight": 0.5},
        2 * 3 / 1.5,
        0.5 * 5 * LOG_2 / 1.5,
    ),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_normalization(name):
    options, boxes, classes = CASES[name]
    assert_allclose(loss_of(plain(**options)), (boxes, classes), rtol=1e-6)


def test_normalizer_is_one_without_matches():
    none = targets(box_weights=np.zeros((1, 3)), match=np.full((1, 3), -1))
    assert_allclose(loss_of(plain(), none), (0, 5 * LOG_2), rtol=1e-6)


def test_losses_per_anchor_are_summed_like_losses_per_logit():
    got = loss_of(AnchorLoss(SoftmaxLoss(), L1Loss(), MeanStddevCoder()))
    assert_allclose(got[1], 2.5 * LOG_2 / 1.5, rtol=1e-6)


@pytest.mark.backend
def test_iou_losses_use_decoded_boxes():
    coder = CenterSizeCoder((1.0, 1.0, 1.0, 1.0))
    loss = AnchorLoss(SigmoidLoss(), GiouLoss(), coder, normalize_by_matches=False)
    codes = np.zeros((1, 3, 4), "float32")
    assert_allclose(loss_of(loss, codes=codes)[0], 0, atol=1e-6)
    codes[0, 0, 0] = 0.5  # Half its height lower: IoU 1 / 3, hull 1.5, no gap.
    assert_allclose(loss_of(loss, codes=codes)[0], 2 / 3, rtol=1e-6)


@pytest.mark.backend
def test_unknown_targets_are_excluded():
    boxes = np.zeros((1, 3, 4))
    boxes[0, 0, 0] = np.nan
    assert_allclose(loss_of(plain(), targets(box_targets=boxes))[0], 2 / 1.5, rtol=1e-6)


@pytest.mark.backend
def test_random_sampling_drops_negatives_and_requires_a_seed():
    loss = plain(sampler=BalancedSampler(1.0))  # Positives only.
    assert_allclose(loss_of(loss, seed=1), (2, 2 * 1.5 * LOG_2 / 1.5), rtol=1e-6)
    with pytest.raises(ValueError, match="needs a seed"):
        loss_of(loss)


@pytest.mark.backend
def test_mining_keeps_the_highest_losses():
    loss = plain(miner=HardExampleMiner(size=1, iou_threshold=0.5))
    # Anchor 1 has most loss: 4 * 0.5 + log(2) against 1 + 2 * log(2) and 2 * log(2).
    codes = CODES.copy()
    codes[0, 1] *= 2
    got = loss_of(loss, codes=codes)
    assert_allclose(got, (8 * 0.5 / 1.5, LOG_2 / 1.5), rtol=1e-6)


# Boxes 0 and 1 overlap wholly. Class losses, box losses, match, settings, kept.
MINING = {
    "best of overlapping": ([3, 2, 1], [0, 0, 0], [-1, -1, -1], {}, [1, 0, 1]),
    "size": ([3, 2, 4], [0, 0, 0], [-1, -1, -1], {"size": 1}, [0, 0, 1]),
    "all": (
        [3, 2, 4],
        [0, 0, 0],
        [-1] * 3,
        {"size": None, "iou_threshold": 1.0},
        [1] * 3,
    ),
    "by classes": (
        [1, 2, 0],
        [9, 0, 0],
        [-1] * 3,
        {"kind": "classification"},
        [0, 1, 1],
    ),
    "by boxes": ([0, 9, 0], [2, 1, 0], [-1] * 3, {"kind": "localization"}, [1, 0, 1]),
    "by both": ([2, 1, 0], [0, 2, 0], [-1] * 3, {}, [0, 1, 1]),
    "by both, weighted": (
        [2, 1, 0],
        [0, 2, 0],
        [-1] * 3,
        {"localization_weight": 0.25},
        [1, 0, 1],
    ),
    "one negative a positive": (
        [1, 1, 1, 3, 2],
        [0] * 5,
        [0, -1, -1, -1, -1],
        {"max_negatives_per_positive": 1.0, "iou_threshold": 1.0},
        [1, 0, 0, 1, 0],
    ),
    "no positives, no negatives": (
        [3, 2, 1],
        [0] * 3,
        [-1] * 3,
        {"max_negatives_per_positive": 3.0},
        [0, 0, 0],
    ),
    "no positives, least negatives": (
        [3, 2, 1],
        [0] * 3,
        [-1] * 3,
        {"max_negatives_per_positive": 3.0, "min_negatives": 1},
        [1, 0, 0],
    ),
    "ignored anchors go": (
        [3, 2, 1],
        [0] * 3,
        [-2, 0, 0],
        {"max_negatives_per_positive": 3.0},
        [0, 0, 1],
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.backend if "one negative" in n else ())
        for n in MINING
    ],
)
def test_hard_examples(name):
    classes, boxes, match, options, want = MINING[name]
    places = [[0, 0, 1, 1], [0, 0, 1, 1], [5, 5, 6, 6], [7, 7, 8, 8], [9, 9, 10, 10]]
    args = (np.array([v], "float32") for v in (places[: len(match)], classes, boxes))
    keep = HardExampleMiner(**{"iou_threshold": 0.7} | options)(
        *(ops.convert_to_tensor(a) for a in args),
        ops.convert_to_tensor(np.array([match], "int32")),
    )
    assert ops.convert_to_numpy(keep).tolist() == [want]


def test_huber_loss_with_normalization():
    loss = AnchorLoss(SigmoidLoss(), SmoothL1Loss(), MeanStddevCoder(1.0))
    assert_allclose(loss_of(loss)[0], (0.5 + 0.5 * 2 * 1.5) / 1.5, rtol=1e-6)


BAD = {
    "iou_threshold must be": {"iou_threshold": 1.5},
    "min_negatives_per_image must be >= 0": {"min_negatives": -1},
}


@pytest.mark.parametrize("message", BAD)
def test_invalid_mining_settings_are_rejected(message):
    with pytest.raises(ValueError, match=message):
        HardExampleMiner(**BAD[message])
