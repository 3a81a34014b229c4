"""NMS: cases by hand, and against a slow oracle over all pairs."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry.nms.batched import NonMaxSuppression, Selection
from odapi.geometry.nms.greedy import rank_by_nms
from requirement import require

# Boxes 0, 1, 2 overlap (IoU of 0 and 1: 0.9 / 1.1; of 0 and 2: 0.8 / 1.2), 3 is apart.
ROW = np.array(
    [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.2, 1, 0.8], [0, 3, 1, 4]], "float32"
)


def compiled(function, graph):
    """Returns the function as a graph, where the backend has any and it is wanted."""
    backend = keras.backend.backend()
    if backend == "tensorflow" and graph:
        import tensorflow as tf

        return tf.function(function)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def run(nms, boxes, scores, window=None, convert=None, graph=False):
    arrays = [np.asarray(a, "float32") for a in (boxes, scores)]
    arrays += [] if window is None else [np.asarray(window, "float32")]

    def function(*args):
        return tuple(nms(*args, convert=convert))

    function = compiled(function, graph)
    got = function(*(ops.convert_to_tensor(a) for a in arrays))
    return Selection(*(ops.convert_to_numpy(g) for g in got))


def found(selection, image=0):
    """(class, anchor) of what was found."""
    n = selection.num[image, 0]
    pairs = zip(selection.classes[image], selection.anchors[image], strict=True)
    assert not selection.scores[image, n:].any()
    assert not selection.boxes[image, n:].any()
    return [(int(c), int(a)) for c, a in pairs][:n]


# name: (settings, scores [anchors, classes], what is found)
CASES = {
    "one class": ({}, [[0.9], [0.8], [0.7], [0.6]], [(0, 0), (0, 3)]),
    "less overlap allowed": (
        {"iou_threshold": 0.7}, [[0.9], [0.8], [0.7], [0.6]], [(0, 0), (0, 2), (0, 3)]
    ),
    "dropped boxes drop none": (
        # 0 drops 1, which would have dropped 2.
        {"iou_threshold": 0.7}, [[0.9], [0.8], [0.75], [0]], [(0, 0), (0, 2)]
    ),
    "classes do not compete": (
        {}, [[0.9, 0.2], [0.8, 0.95], [0, 0], [0, 0]], [(1, 1), (0, 0)]
    ),
    "threshold": ({"score_threshold": 0.6}, [[0.9], [0], [0], [0.6]], [(0, 0)]),
    "nothing": ({"score_threshold": 0.95}, [[0.9], [0], [0], [0.6]], []),
    "most in all": ({"max_total": 1}, [[0.9], [0], [0], [0.6]], [(0, 0)]),
    "most of a class": (
        {"max_per_class": 1}, [[0.9, 0], [0, 0], [0, 0], [0.6, 0.5]], [(0, 0), (1, 3)]
    ),
    "ties by class, then anchor": (
        {}, [[0.5, 0.5], [0.5, 0], [0, 0], [0, 0.5]], [(0, 0), (1, 0), (1, 3)]
    ),
    "agnostic": (
        {"class_agnostic": True}, [[0.9, 0.2], [0.8, 0.95], [0, 0], [0.1, 0.3]],
        [(1, 1), (1, 3)],
    ),
    "agnostic, two classes of a box": (
        {"class_agnostic": True, "classes_per_detection": 2, "score_threshold": 0.15},
        [[0.9, 0.2], [0.8, 0.95], [0, 0], [0.1, 0.85]],
        [(1, 1), (1, 3), (0, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("candidates", [pytest.param(0, marks=pytest.mark.backend), 4])
@pytest.mark.parametrize("name", CASES)
def test_nms_keeps_the_expected_boxes(name, candidates):
    settings, scores, want = CASES[name]
    settings = {"iou_threshold": 0.6, "max_total": 5} | settings
    got = run(NonMaxSuppression(**settings, candidates=candidates), [ROW], [scores])
    assert found(got) == want
    assert got.boxes.shape == (1, settings["max_total"], 4)
    for place, (c, a) in enumerate(want):
        assert got.scores[0, place] == np.float32(scores[a][c])
        assert_allclose(got.boxes[0, place], ROW[a])


@pytest.mark.backend
def test_boxes_outside_the_window_suppress_others_but_are_not_returned():
    # Box 0 lies left of the window, box 1 mostly; they overlap by 2 / 3.
    boxes = [[[0, -1, 1, 0], [0, -0.8, 1, 0.2], [0, 0.5, 1, 1]]]
    window = [[0, 0, 1, 1]]
    nms = NonMaxSuppression(0.6, max_total=2)
    assert found(run(nms, boxes, [[[0.9], [0.8], [0.7]]], window)) == [(0, 2)]
    assert found(run(nms, boxes, [[[0.7], [0.8], [0.9]]], window)) == [(0, 2), (0, 1)]


@pytest.mark.backend
def test_boxes_outside_the_window_count_toward_the_class_limit():
    # As in the original, which cuts off what lies outside after the suppression.
    boxes = [[[0, -1, 1, 0], [0, 0, 1, 0.3], [0, 0.5, 1, 1]]]
    scores = [[[0.9, 0.1], [0.8, 0.1], [0.7, 0.2]]]
    nms = NonMaxSuppression(0.6, max_per_class=2, max_total=2)
    assert found(run(nms, boxes, scores, [[0, 0, 1, 1]])) == [(0, 1), (1, 2)]
    assert found(run(nms, boxes, scores)) == [(0, 0), (0, 1)]


@pytest.mark.backend
def test_one_box_per_class():
    boxes = np.stack([ROW, ROW[::-1]], axis=1)[None]  # [1, 4, 2, 4]
    scores = [[[0.9, 0.8], [0.5, 0.4], [0, 0], [0, 0]]]
    got = run(NonMaxSuppression(0.6, max_total=4), boxes, scores)
    assert found(got) == [(0, 0), (1, 0), (1, 1)]
    assert_allclose(got.boxes[0, :3], [ROW[0], ROW[3], ROW[2]])
    got = run(NonMaxSuppression(0.6, max_total=4, class_agnostic=True), boxes, scores)
    assert found(got) == [(0, 0)]


@pytest.mark.backend
def test_scores_are_converted_for_candidates_only():
    logits = np.array([[[2.0], [1.0], [0.0], [-1.0]]])
    nms = NonMaxSuppression(0.6, score_threshold=0.4, max_total=3)
    got = run(nms, [ROW], logits, convert=ops.sigmoid)
    assert found(got) == [(0, 0)]
    assert_allclose(got.scores[0, 0], 1 / (1 + np.exp(-2)), rtol=1e-6)


def test_negative_scores_are_valid_above_the_threshold():
    nms = NonMaxSuppression(0.6, score_threshold=-5.0, max_total=4, candidates=1)
    got = run(nms, [ROW], [[[-1.0], [-2.0], [-9.0], [-3.0]]])
    assert found(got) == [(0, 0), (0, 3)]


def test_nan_is_never_returned():
    scores = np.array([[[np.nan], [0.8], [0.7], [0.6]]])
    got = run(NonMaxSuppression(0.6, max_total=4), [ROW], scores)
    assert (0, 0) not in found(got)


def slow(boxes, scores, nms):
    """All pairs of one image, class by class, as the original does it."""
    pairs = []
    for c in range(scores.shape[1]):
        order = np.argsort(-scores[:, c], kind="stable")
        kept = []
        for a in order:
            if scores[a, c] > nms.score_threshold and len(kept) < nms.max_per_class:
                if all(slow_iou(boxes[a], boxes[k]) <= nms.iou_threshold for k in kept):
                    kept.append(a)
        pairs += [(-scores[a, c], c, int(a)) for a in kept]
    inside = (np.minimum(boxes, 1)[:, 2:] > np.maximum(boxes, 0)[:, :2]).all(axis=1)
    pairs = [(c, a) for _, c, a in sorted(pairs) if inside[a]]
    return pairs[: nms.max_total]


def slow_iou(a, b):
    height = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    width = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    overlap = max(height, 0) * max(width, 0)
    size_a, size_b = ((q[2] - q[0]) * (q[3] - q[1]) for q in (a, b))
    return overlap / (size_a + size_b - overlap)


def scene(batch, anchors, classes, seed, margin=0.1):
    rng = np.random.default_rng(seed)
    center = rng.uniform(-margin, 1 + margin, (batch, anchors, 2))
    size = rng.uniform(0.1, 0.5, (batch, anchors, 2))
    boxes = np.concatenate([center - size / 2, center + size / 2], -1)
    # Few steps of score, so that there are ties.
    scores = rng.integers(0, 60, (batch, anchors, classes)) / 64
    return boxes.astype("float32"), scores.astype("float32")


# Settings under which the candidates run out, and more must be taken.
SETTINGS = {
    "all at once": NonMaxSuppression(0.5, 0.1, 30, 30),
    "many blocks": NonMaxSuppression(0.3, 0.1, 30, 30, candidates=20),
    "few of a class": NonMaxSuppression(0.5, 0.1, 2, 30, candidates=25),
    "high threshold": NonMaxSuppression(0.5, 0.9, 30, 30, candidates=25),
    "fewer than asked for": NonMaxSuppression(0.05, 0.0, 40, 40, candidates=25),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.backend if n == "many blocks" else ())
        for n in SETTINGS
    ],
)
def test_candidates_do_not_change_the_result(name):
    margin = 0.0 if name == "fewer than asked for" else 0.1
    boxes, scores = scene(3, 120, 4, len(name), margin)
    scores[2] = 0  # An image with nothing.
    nms = SETTINGS[name]
    got = run(nms, boxes, scores, np.tile([[0, 0, 1, 1]], (3, 1)), graph=True)
    for i in range(3):
        assert found(got, i) == slow(boxes[i], scores[i], nms)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has such graphs"
)
@pytest.mark.parametrize("anchors", [1, 30, 120])
@pytest.mark.parametrize("name", SETTINGS)
def test_number_of_anchors_that_only_the_graph_knows(name, anchors):
    import tensorflow as tf

    boxes, scores = scene(3, anchors, 4, len(name))
    window = np.tile(np.float32([[0, 0, 1, 1]]), (3, 1))
    nms = SETTINGS[name]
    specs = [tf.TensorSpec([None, None, n]) for n in (4, 4)]
    any_number = tf.function(
        lambda b, s, w: tuple(nms(b, s, w)),
        input_signature=[*specs, tf.TensorSpec([None, 4])],
    )
    got = Selection(*(value.numpy() for value in any_number(boxes, scores, window)))
    expected = run(nms, boxes, scores, window)
    for i in range(3):
        assert found(got, i) == found(expected, i)


def slow_soft(boxes, scores, nms):
    """Soft suppression of one class of one image."""
    scores, picks = scores.astype("float64").copy(), []
    while len(picks) < nms.max_total and scores.max() > nms.score_threshold:
        best = int(np.argmax(scores))
        picks.append((best, scores[best]))
        for i in range(len(scores)):
            iou = slow_iou(boxes[best], boxes[i])
            shrink = np.exp(-(iou**2) / (2 * nms.soft_sigma))
            scores[i] *= shrink if iou <= nms.iou_threshold else 0
        scores[best] = -1
    return picks


@pytest.mark.backend
def test_soft_nms_equals_the_oracle():
    boxes, scores = scene(2, 60, 1, seed=5)
    nms = NonMaxSuppression(0.7, 0.2, 100, 15, soft_sigma=0.3)
    got = run(nms, boxes, scores)
    for i in range(2):
        want = slow_soft(boxes[i], scores[i, :, 0], nms)
        assert [a for _, a in found(got, i)] == [a for a, _ in want]
        n = len(want)
        assert_allclose(got.scores[i, :n], [s for _, s in want], rtol=1e-5)


def test_soft_nms_separates_and_limits_classes():
    scores = [[[0.9, 0.8], [0.8, 0.1], [0.7, 0.1], [0.6, 0.75]]]
    nms = NonMaxSuppression(1.0, 0.05, 1, 4, soft_sigma=0.5)
    assert found(run(nms, [ROW], scores)) == [(0, 0), (1, 0)]
    several = NonMaxSuppression(1.0, 0.05, 4, 3, soft_sigma=0.5)
    assert found(run(several, [ROW], scores)) == [(0, 0), (1, 0), (1, 3)]


@pytest.mark.backend
def test_rank_by_nms_returns_the_rank_of_kept_boxes():
    scores = np.array([[0.7, 0.8, 0.9, 0.95]], "float32")
    order = rank_by_nms(
        ops.convert_to_tensor(ROW[None]), ops.convert_to_tensor(scores), 3, 0.6
    )
    # 3 first, then 2, which drops 0 but not 1 (IoU 0.7 / 1.3).
    assert ops.convert_to_numpy(order).tolist() == [[3, 2, 1, 0]]


BAD = {
    "iou_threshold must be in": {"iou_threshold": 1.5},
    "soft_nms_sigma must be >= 0": {"soft_sigma": -1.0},
    "nms_candidates must be >= 0": {"candidates": -1},
    "max_detections_per_class must be >= 1": {"max_per_class": 0},
    "max_total_detections must be >= 1": {"max_total": 0},
    "max_classes_per_detection must be >= 1": {"classes_per_detection": 0},
}


@pytest.mark.parametrize("message", BAD)
def test_invalid_settings_are_rejected(message):
    with pytest.raises(ValueError, match=message):
        NonMaxSuppression(**BAD[message])


def test_nms_equals_the_native_operation():
    tf = require("tensorflow")
    boxes, scores = scene(2, 300, 3, seed=7)
    scores += np.linspace(0, 1e-3, scores.size, dtype="float32").reshape(scores.shape)
    got = run(NonMaxSuppression(0.5, 0.2, 20, 40, candidates=50), boxes, scores)
    want = tf.image.combined_non_max_suppression(
        boxes[:, :, None], scores, 20, 40, 0.5, 0.2, clip_boxes=False
    )
    assert got.num[:, 0].tolist() == want[3].numpy().tolist()
    assert_allclose(got.scores, want[1].numpy())
    assert_allclose(got.boxes, want[0].numpy())
    assert_allclose(got.classes, want[2].numpy())


@pytest.mark.backend
def test_ties_beyond_the_first_block_are_found():
    # 3000 boxes that do not touch; 700 of them share the best score.
    row, column = np.divmod(np.arange(3000), 60)
    corner = np.stack([row / 50, column / 60], axis=1)
    boxes = np.concatenate([corner, corner + 0.01], axis=1)
    best = np.sort(np.random.default_rng(0).permutation(3000)[:700])
    scores = np.full((3000, 1), 0.1)
    scores[best] = 0.9
    got = run(NonMaxSuppression(0.6), boxes[None], scores[None])
    assert found(got) == [(0, a) for a in best[:100]]
