"""Proposals from four anchors."""

import numpy as np
import pytest
from keras import ops

from odapi.models.two_stage.proposals import Proposer, clip_anchors, inside_image
from odapi.targets.coders import CenterSizeCoder

pytestmark = pytest.mark.backend

# The first two overlap by 0.16 / 0.168; codes of zeros leave anchors as they are.
_ANCHORS = np.array(
    [[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.52], [0.6, 0.6, 0.9, 0.9]], "float32"
)
_WHOLE, _TOP = [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.55, 1.0]
# Sigmoids of 2, 3 and 1: the softmax of (0, x) is one.
_OBJECTNESS = {2: 0.880797, 3: 0.952574, 1: 0.731059}


def propose(
    logits, window=_WHOLE, valid_anchors=None, keep_outside=False, codes=None, **kw
):
    proposer = Proposer(CenterSizeCoder(), **{"size": 3, **kw})
    pairs = np.array([[[0.0, x] for x in logits]], "float32")
    codes = np.zeros((1, len(logits), 4), "float32") if codes is None else codes
    found = proposer(
        ops.convert_to_tensor(codes),
        ops.convert_to_tensor(pairs),
        ops.convert_to_tensor(_ANCHORS[: len(logits)]),
        ops.convert_to_tensor([window]),
        None if valid_anchors is None else ops.convert_to_tensor(valid_anchors),
        keep_outside,
    )
    return type(found)(*(ops.convert_to_numpy(v)[0] for v in found))


@pytest.mark.parametrize(
    ("logits", "options", "anchors"),
    [
        ((2, 3, 1), {}, [1, 2]),  # The second drops the first.
        ((3, 2, 1), {}, [0, 2]),
        ((2, 2, 2), {}, [0, 2]),  # Of a tie the first anchor.
        ((2, 3, 1), {"iou_threshold": 0.96}, [1, 0, 2]),
        ((2, 3, 1), {"score_threshold": 0.75}, [1]),
        ((2, 3, 1), {"size": 1}, [1]),
        ((2, 3, 1), {"valid_anchors": [True, False, True]}, [0, 2]),
        ((2, 3, 1), {"valid_anchors": [False, False, False]}, []),
        ((2, 3, 1), {"window": _TOP}, [1]),
        ((2, 3, 4), {"window": _TOP, "size": 1}, []),  # It took the only place.
        ((2,), {}, [0]),  # More places than anchors.
    ],
)
def test_the_best_of_overlapping_boxes_inside_are_proposed(logits, options, anchors):
    found = propose(logits, **options)
    size = options.get("size", 3)
    number = len(anchors)
    assert found.valid.tolist() == [True] * number + [False] * (size - number)
    assert found.anchors.tolist() == anchors + [0] * (size - number)
    scores = [_OBJECTNESS[logits[n]] for n in anchors] + [0.0] * (size - number)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-5)
    assert (found.boxes[number:] == 0).all()


def test_boxes_are_decoded_and_cut_to_the_window():
    # Codes have scales 10 and 5: down by half the height of 0.4, twice as wide.
    codes = np.array([[[5.0, 0.0, 0.0, 5 * np.log(2)]]], "float32")
    found = propose((2,), window=_TOP, codes=codes)
    np.testing.assert_allclose(found.boxes[0], [0.3, 0.0, 0.55, 0.7], atol=1e-6)


def test_boxes_outside_may_follow_the_valid_ones():
    found = propose((2, 1, 3), window=_TOP, keep_outside=True)
    assert found.valid.tolist() == [True, False, False]
    np.testing.assert_allclose(found.boxes[0], _ANCHORS[0], atol=1e-6)
    np.testing.assert_allclose(found.boxes[1], [0.55, 0.6, 0.55, 0.9], atol=1e-6)


def test_proposals_are_detections_of_one_class_in_the_real_image():
    proposer = Proposer(CenterSizeCoder(), size=2)
    logits = ops.convert_to_tensor([[[0.0, 2.0], [0.0, 3.0], [0.0, 1.0]]])
    codes = ops.zeros((1, 3, 4))
    anchors, window = ops.convert_to_tensor(_ANCHORS), ops.convert_to_tensor([_TOP])
    proposals = proposer(codes, logits, anchors, window)
    found = proposer.detections(proposals, codes, logits, anchors, window, raw=True)
    boxes = [[0.1 / 0.55, 0.1, 0.5 / 0.55, 0.52], [0, 0, 0, 0]]
    np.testing.assert_allclose(ops.convert_to_numpy(found.boxes)[0], boxes, rtol=1e-5)
    assert ops.convert_to_numpy(found.num).tolist() == [1]
    assert ops.convert_to_numpy(found.classes).tolist() == [[0, 0]]
    np.testing.assert_allclose(
        ops.convert_to_numpy(found.multiclass_scores)[0],
        [[1 - _OBJECTNESS[3], _OBJECTNESS[3]], [0, 0]],
        atol=1e-5,
    )
    assert found.raw_boxes.shape == (1, 3, 4)


def test_anchors_are_clipped_or_marked_outside():
    anchors = np.array([[-0.1, 0, 1, 1], [0, 0, 1, 1], [0.5, 0.5, 1.01, 1]], "float32")
    assert inside_image(anchors).tolist() == [False, True, False]
    assert clip_anchors(anchors).tolist() == [[0, 0, 1, 1]] * 2 + [[0.5, 0.5, 1, 1]]


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [
        ("size", 0, "first_stage_max_proposals"),
        ("iou_threshold", 1.5, "first_stage_nms_iou_threshold"),
        ("score_threshold", -0.1, "first_stage_nms_score_threshold"),
    ],
)
def test_values_out_of_range_are_refused(option, value, name):
    with pytest.raises(ValueError, match=name):
        Proposer(CenterSizeCoder(), **{option: value})
