"""Anchor targets: by hand, and against a slow oracle with loops."""

import dataclasses

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.structures import Groundtruth
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.coders import CenterSizeCoder, KeypointCoder, MeanStddevCoder
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.similarities import IouSimilarity, ThresholdedIou

# Objects 0 and 1 lie on anchors 0 and 2; anchor 1 overlaps object 0 by 1 / 3;
# anchor 3 is far away. The last row is padding that lies on anchor 3.
ANCHORS = [[0, 0, 0.2, 0.2], [0, 0.1, 0.2, 0.3], [0.5, 0.5, 1, 1], [0.8, 0, 0.9, 0.1]]
BOXES = [[[0, 0, 0.2, 0.2], [0.5, 0.5, 0.9, 1], [0.8, 0, 0.9, 0.1]]]

ASSIGNER = AnchorAssigner(
    MeanStddevCoder(0.1), IouSimilarity(), ArgmaxMatcher(0.5, 0.2)
)


def truth(**fields):
    base = {
        "boxes": np.array(BOXES, "float32"),
        "classes": np.array([[1, 0, 1]], "int32"),
        "valid": np.array([[True, True, False]]),
        "weights": np.array([[1, 0.5, 0]], "float32"),
    }
    given = {k: np.array(v) for k, v in fields.items()}
    return Groundtruth(
        **{k: ops.convert_to_tensor(v) for k, v in (base | given).items()}
    )


def targets(assigner=ASSIGNER, num_classes=2, **fields):
    got = assigner(np.array(ANCHORS, "float32"), truth(**fields), num_classes)
    return type(got)(*(ops.convert_to_numpy(t) for t in got))


def change(**options):
    return dataclasses.replace(ASSIGNER, **options)


@pytest.mark.backend
def test_targets_by_hand():
    got = targets()
    assert got.match.tolist() == [[0, -2, 1, -1]]
    # Background first; anchor 1 is ignored, anchor 3 background.
    assert got.class_targets.tolist() == [[[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]]
    assert_allclose(got.class_weights, [[[1], [0], [0.5], [1]]])
    assert_allclose(got.box_weights, [[1, 0, 0.5, 0]])
    want = np.zeros((1, 4, 4))
    want[0, 2, 2] = -1  # 0.9 against 1, by 0.1
    assert_allclose(got.box_targets, want, atol=1e-6)


def test_background_target_can_be_all_zeros():
    got = targets(change(background_as_zeros=True))
    assert got.class_targets[0, 3].tolist() == [0, 0, 0]
    assert got.class_targets[0, 0].tolist() == [0, 0, 1]


def test_without_a_background_class():
    got = targets(change(add_background=False, background_as_zeros=True))
    assert got.class_targets.tolist() == [[[0, 1], [0, 0], [1, 0], [0, 0]]]


def test_groundtruth_can_include_the_background():
    assigner = change(add_background=False, explicit_background=True)
    got = targets(assigner, 3, classes=np.array([[2, 1, 0]], "int32"))
    assert got.class_targets.tolist() == [[[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]]


def test_both_background_options_are_rejected():
    with pytest.raises(ValueError, match="mutually exclusive"):
        change(explicit_background=True)


def test_negative_class_weight():
    got = targets(change(negative_class_weight=0.25))
    assert_allclose(got.class_weights[..., 0], [[1, 0, 0.5, 0.25]])


SCORES = [[[0.1, 0.2, 0.7], [0.5, 0.5, 0], [0, 0, 0]]]


def test_multiclass_scores_are_soft_targets():
    got = targets(multiclass_scores=np.array(SCORES, "float32"))
    assert_allclose(got.class_targets[0, 0], [0.1, 0.2, 0.7])
    assert_allclose(got.class_targets[0, 3], [1, 0, 0])


def test_multiclass_scores_with_and_without_background():
    scores = np.array(SCORES, "float32")
    got = targets(multiclass_scores=scores[..., 1:])
    assert_allclose(got.class_targets[0, 0], [0, 0.2, 0.7])
    got = targets(change(add_background=False), multiclass_scores=scores)
    assert_allclose(got.class_targets[0, 0], [0.2, 0.7])


def test_multiclass_scores_of_other_classes_are_rejected():
    with pytest.raises(ValueError, match="multiclass scores for 3 classes"):
        targets(num_classes=5, multiclass_scores=np.array(SCORES, "float32"))


def test_background_score_reduces_the_weight_of_an_object():
    assigner = change(similarity=ThresholdedIou(0.5), matcher=ArgmaxMatcher(0.6))
    # Scores 1 - 0.1 and 1 - 0.5: only the first is above 0.6.
    got = targets(assigner, multiclass_scores=np.array(SCORES, "float32"))
    assert got.match.tolist() == [[0, -1, -1, -1]]


def test_forced_matches_skip_boxes_without_weight_or_area():
    assigner = change(matcher=ArgmaxMatcher(0.95, force=True))
    assert targets(assigner).match.tolist() == [[0, -1, 1, -1]]
    weights = np.array([[1, 0, 0]], "float32")
    assert targets(assigner, weights=weights).match.tolist() == [[0, -1, -1, -1]]
    boxes = np.array(BOXES, "float32")
    boxes[0, 1, 2] = boxes[0, 1, 0]
    got = targets(assigner, boxes=boxes)
    assert got.match.tolist() == [[0, -1, -1, -1]]
    assert np.isfinite(got.box_targets).all()


@pytest.mark.backend
def test_confidences_set_the_weights_of_explicit_labels():
    assigner = change(confidences_as_targets=True, implicit_weight=0.25)
    # Object 0 (class 1) is there for sure, object 1 (class 0) surely not.
    got = targets(assigner, confidences=np.array([[1, -1, 0]], "float32"))
    assert got.class_targets.tolist() == [[[0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0]]]
    assert_allclose(
        got.class_weights[0],
        [[1, 0.25, 1], [0.25, 0.25, 0.25], [0.25, 1, 0.25], [0.25, 0.25, 0.25]],
    )
    assert_allclose(got.box_weights, [[1, 0, 0, 0]])
    assert not got.box_targets[0, 1:].any()


@pytest.mark.backend
def test_keypoints_are_encoded_with_their_box():
    points = np.full((1, 3, 1, 2), 0.1, "float32")
    points[0, 1] = np.nan
    got = targets(change(coder=KeypointCoder(1)), keypoints=points)
    assert got.box_targets.shape == (1, 4, 6)
    assert_allclose(got.box_targets[0, 0], 0, atol=1e-4)
    assert np.isnan(got.box_targets[0, 2, 4:]).all()


def test_keypoint_coder_requires_keypoints():
    with pytest.raises(ValueError, match="needs groundtruth with keypoints"):
        targets(change(coder=KeypointCoder(1)))


def slow_iou(a, b):
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(height, 0) * max(width, 0)
    sizes = ((q[2] - q[0]) * (q[3] - q[1]) for q in (a, b))
    return overlap / (sum(sizes) - overlap)


def slow_match(boxes, weights, anchors, low, high):
    """Targets as of the original, for the objects of one image without padding."""
    match = []
    for anchor in anchors:
        values = [slow_iou(box, anchor) for box in boxes]
        best = int(np.argmax(values)) if values else -1
        top = values[best] if values else 0
        match.append(best if top >= high else -1 if top < low else -2)
    claimed = {}
    for row, box in enumerate(boxes):
        values = [slow_iou(box, anchor) for anchor in anchors]
        if weights[row] > 0 and max(values) > 0:
            claimed.setdefault(int(np.argmax(values)), row)
    return [claimed.get(i, m) for i, m in enumerate(match)]


def random_boxes(rng, n):
    center, size = rng.uniform(0.1, 0.9, (n, 2)), rng.uniform(0.05, 0.4, (n, 2))
    return np.concatenate([center - size / 2, center + size / 2], -1).astype("float32")


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.backend), 1, 2])
def test_matches_equal_the_oracle(seed):
    rng = np.random.default_rng(seed)
    batch, most, low, high = 4, 6, 0.3, 0.45
    anchors = random_boxes(rng, 60)
    anchors[7] = anchors[3]  # A tie.
    number = rng.integers(0, most + 1, batch)
    boxes = np.zeros((batch, most, 4), "float32")
    weights = np.zeros((batch, most), "float32")
    for i, n in enumerate(number):
        boxes[i, :n] = random_boxes(rng, n)
        weights[i, :n] = rng.choice([0, 0.5, 1], n)
    valid = np.arange(most) < number[:, None]
    assigner = AnchorAssigner(
        CenterSizeCoder(), IouSimilarity(), ArgmaxMatcher(high, low, force=True)
    )
    classes = rng.integers(0, 5, (batch, most)).astype("int32")
    fields = [ops.convert_to_tensor(x) for x in (boxes, classes, valid, weights)]
    got = assigner(anchors, Groundtruth(*fields), 5)
    for i, n in enumerate(number):
        want = slow_match(boxes[i, :n], weights[i], anchors, low, high)
        assert ops.convert_to_numpy(got.match)[i].tolist() == want
