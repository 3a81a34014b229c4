"""Post-processing of head outputs."""

import sys

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.models.calibration import PiecewiseLinear
from odapi.models.postprocess import PostProcess
from odapi.models.scores import ScoreConverter

# Two boxes apart; the second sticks out of the lower half of the image.
BOXES = np.array([[[0.1, 0.1, 0.3, 0.3], [0.4, 0.5, 0.8, 0.9]]], "float32")
LOGITS = np.array([[[9.0, 1.0, -9.0], [9.0, -9.0, 0.0]]], "float32")  # With background
WHOLE = [[0, 0, 1, 1]]
NMS = NonMaxSuppression(0.6, 0.01, max_total=4)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def run(process, boxes=BOXES, logits=LOGITS, window=WHOLE, raw=False):
    arrays = (
        ops.convert_to_tensor(np.asarray(a, "float32")) for a in (boxes, logits, window)
    )
    got = process(*arrays, raw=raw)
    return got._replace(
        **{
            k: ops.convert_to_numpy(v)
            for k, v in got._asdict().items()
            if v is not None
        }
    )


@pytest.mark.backend
def test_detections_by_hand():
    got = run(PostProcess(NMS, ScoreConverter("sigmoid")))
    assert got.num.tolist() == [2]
    assert got.classes.tolist() == [[0, 1, 0, 0]]
    assert got.anchor_indices.tolist() == [[0, 1, 0, 0]]
    assert_allclose(got.scores, [[sigmoid(1), 0.5, 0, 0]], rtol=1e-6)
    assert_allclose(got.boxes[0, :2], BOXES[0], rtol=1e-6)
    assert_allclose(got.multiclass_scores[0, :2], sigmoid(LOGITS[0]), rtol=1e-5)
    assert not got.boxes[0, 2:].any()
    assert not got.multiclass_scores[0, 2:].any()
    assert got.raw_boxes is None
    assert got.keypoints is None


def test_boxes_are_clipped_and_relative_to_the_image():
    upper = [[0, 0, 0.5, 1]]
    got = run(PostProcess(NMS, ScoreConverter("sigmoid")), window=upper)
    assert_allclose(
        got.boxes[0, :2], [[0.2, 0.1, 0.6, 0.3], [0.8, 0.5, 1, 0.9]], rtol=1e-6
    )
    kept = PostProcess(NMS, ScoreConverter("sigmoid"), change_coordinate_frame=False)
    got = run(kept, window=upper)
    assert_allclose(got.boxes[0, 1], [0.4, 0.5, 0.5, 0.9], rtol=1e-6)


def test_without_background_all_classes_are_found():
    process = PostProcess(NMS, ScoreConverter("sigmoid"), has_background=False)
    got = run(process)
    assert got.num.tolist() == [4]
    assert got.classes.tolist() == [[0, 0, 1, 2]]


def test_raw_boxes_and_scores_are_those_before_suppression():
    got = run(PostProcess(NMS, ScoreConverter("sigmoid")), raw=True)
    assert_allclose(got.raw_boxes, BOXES)
    assert_allclose(got.raw_scores, sigmoid(LOGITS), rtol=1e-5)
    assert got.num.tolist() == [2]


@pytest.mark.backend
def test_softmax_is_over_all_classes_of_an_anchor():
    got = run(PostProcess(NMS, ScoreConverter("softmax")))
    assert got.num.tolist() == [0]  # Background has all.
    logits = LOGITS - [[[9.0, 0, 0], [9.0, 0, 0]]]
    got = run(PostProcess(NMS, ScoreConverter("softmax")), logits=logits)
    want = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert_allclose(got.scores[0, :2], [want[0, 0, 1], want[0, 1, 2]], rtol=1e-5)
    assert_allclose(got.multiclass_scores[0, :2], want[0], rtol=1e-5)


def test_decreasing_calibration_reverses_the_order():
    falling = PiecewiseLinear((0.0, 1.0), (1.0, 0.1))
    got = run(PostProcess(NMS, ScoreConverter("sigmoid", calibration=falling)))
    # Scores near 0 come first now.
    assert got.classes[0, :2].tolist() == [0, 1]
    assert got.anchor_indices[0, :2].tolist() == [1, 0]


@pytest.mark.backend
def test_keypoints_travel_with_their_box():
    points = np.array([[[0.2, 0.2], [0.45, 0.5]]], "float32")
    boxes = np.concatenate([BOXES, points], axis=-1)
    process = PostProcess(NMS, ScoreConverter("sigmoid"))
    got = run(process, boxes, window=[[0, 0, 0.5, 1]])
    assert got.keypoints.shape == (1, 4, 1, 2)
    assert_allclose(got.keypoints[0, :2, 0], [[0.4, 0.2], [0.9, 0.5]], rtol=1e-6)


def test_images_without_detections():
    got = run(PostProcess(NMS, ScoreConverter("sigmoid")), logits=LOGITS * 0 - 20)
    assert got.num.tolist() == [0]
    assert not got.boxes.any()
    assert not got.scores.any()


@pytest.mark.parity
def test_detections_of_the_original(shared):
    # The original's detections and all scores of their anchors are stored whole. What
    # it did not find cannot change what it found, so these anchors alone must give the
    # same detections.
    sys.path.insert(0, str(shared / "golden"))
    try:
        from golden_io import Golden
    finally:
        sys.path.pop(0)
    golden = Golden(shared / "golden" / "outputs" / "ssd_mobilenet_v2_320x320.npz")
    want = {
        key: golden.arrays[f"detections/{key}"].reshape(
            golden.meta["tensors"][f"detections/{key}"]["shape"]
        )
        for key in (
            "detection_anchor_indices", "detection_boxes", "detection_classes",
            "detection_multiclass_scores", "detection_scores", "raw_detection_boxes",
        )
    }  # fmt: skip
    process = PostProcess(
        NonMaxSuppression(0.6, 1e-8), ScoreConverter(), has_background=True
    )
    for image in range(2):
        anchors, first = np.unique(
            want["detection_anchor_indices"][image], return_index=True
        )
        got = run(
            process,
            want["raw_detection_boxes"][image, anchors][None],
            want["detection_multiclass_scores"][image, first][None],
        )
        assert got.num.tolist() == [100]
        assert (
            anchors[got.anchor_indices[0]] == want["detection_anchor_indices"][image]
        ).all()
        assert (got.classes[0] == want["detection_classes"][image]).all()
        assert_allclose(got.scores[0], want["detection_scores"][image], atol=1e-7)
        assert_allclose(got.boxes[0], want["detection_boxes"][image], atol=1e-7)
        assert_allclose(
            got.multiclass_scores[0], want["detection_multiclass_scores"][image]
        )
