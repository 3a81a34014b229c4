"""Argmax matching: thresholds, ties, forcing, padding.

Each case gives the similarity of objects (rows) and anchors (columns).
"""

import numpy as np
import pytest
from keras import ops

from odapi.targets.matchers import ArgmaxMatcher

# Two objects, five anchors. From argmax_matcher_test.py of the original.
THREE = [[1, 1, 1, 3, 1], [2, -1, 2, 0, 4], [3, 0, -1, 0, 0]]

# name: (matcher, similarity, match)
CASES = {
    "without thresholds": (ArgmaxMatcher(None), THREE, [2, 0, 1, 0, 1]),
    # Anchor 1 is at best 1.
    "one threshold": (ArgmaxMatcher(2.0), THREE, [2, -1, 1, 0, 1]),
    "ignored in between": (ArgmaxMatcher(3.0, 2.0), THREE, [2, -1, -2, 0, 1]),
    "negatives in between": (ArgmaxMatcher(3.0, 2.0, False), THREE, [2, -2, -1, 0, 1]),
    "forced": (
        ArgmaxMatcher(3.0, 2.0, force=True),
        # Object 1 is best at anchor 1, below all thresholds.
        [[1, 1, 1, 3, 1], [-1, 0, -2, -2, -1], [3, 0, -1, 2, 0]],
        [2, 1, -1, 0, -1],
    ),
    "first object of a tie": (ArgmaxMatcher(0.5), [[0.6, 0.6], [0.6, 0.7]], [0, 1]),
    "at the thresholds": (ArgmaxMatcher(0.5, 0.4), [[0.5, 0.4, 0.3]], [0, -2, -1]),
    # Both objects like anchor 0 best: the first has it, the second has none.
    "two claims": (ArgmaxMatcher(0.9, force=True), [[0.5, 0.1], [0.6, 0.2]], [0, -1]),
    # A claim takes an anchor from the object that fits it better.
    "claim against match": (
        ArgmaxMatcher(0.5, force=True), [[0.6, 0.2], [0.9, 0.95]], [0, 1]
    ),
    "first anchor of a tie": (ArgmaxMatcher(0.9, force=True), [[0.4, 0.4]], [0, -1]),
}  # fmt: skip

ON_ALL_BACKENDS = (
    "ignored in between",
    "forced",
    "two claims",
    "first anchor of a tie",
)


def match(matcher, similarity, valid=None, claims=None, floor=None):
    similarity = np.array(similarity, "float32")
    if similarity.ndim == 2:
        similarity = similarity[None]
    if valid is None:
        valid = np.ones(similarity.shape[:2], bool)
    table = ops.convert_to_tensor(similarity)
    got = matcher(
        lambda i: ops.take(table, i, axis=1),
        similarity.shape[2],
        ops.convert_to_tensor(np.array(valid)),
        None if claims is None else ops.convert_to_tensor(np.array(claims)),
        floor,
    )
    return ops.convert_to_numpy(got).tolist()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.backend if n in ON_ALL_BACKENDS else ())
        for n in CASES
    ],
)
def test_match(name):
    matcher, similarity, want = CASES[name]
    assert match(matcher, similarity) == [want]


def test_padding_is_never_matched():
    got = match(
        ArgmaxMatcher(0.5, force=True), [[0.6, 0.1], [0.9, 0.9]], [[True, False]]
    )
    assert got == [[0, -1]]


@pytest.mark.parametrize(
    "matcher", [ArgmaxMatcher(None), ArgmaxMatcher(0.5, force=True)]
)
def test_image_without_objects_is_background(matcher):
    similarity = [[[0.6, 0.1]], [[0.9, 0.9]]]
    assert match(matcher, similarity, [[True], [False]])[1] == [-1, -1]


def test_objects_after_padding_are_matched():
    got = match(ArgmaxMatcher(0.5), [[0.6, 0.1], [0.7, 0.9]], [[False, True]])
    assert got == [[1, 1]]


def test_object_without_claim_matches_by_threshold():
    matcher = ArgmaxMatcher(0.5, force=True)
    similarity = [[0.6, 0.2], [0.1, 0.3]]
    assert match(matcher, similarity, claims=[[True, False]]) == [[0, -1]]
    assert match(matcher, similarity, claims=[[False, True]]) == [[0, 1]]


def test_object_without_overlap_claims_no_anchor():
    matcher = ArgmaxMatcher(0.5, force=True)
    # The original gives it anchor 0, with which it has nothing in common.
    assert match(matcher, [[0.0, 0.0]], floor=0.0) == [[-1, -1]]
    assert match(matcher, [[-2.0, -1.0]], floor=None) == [[-1, 0]]


@pytest.mark.backend
def test_images_of_a_batch_are_independent():
    similarity = [
        [[0.6, 0.1, 0.2], [0.1, 0.2, 0.3]],
        [[0.1, 0.1, 0.1], [0.2, 0.7, 0.8]],
    ]
    got = match(
        ArgmaxMatcher(0.5, force=True), similarity, [[True, True], [False, True]]
    )
    assert got == [[0, -1, 1], [-1, 1, 1]]


BAD = {
    "must not be above matched_threshold": lambda: ArgmaxMatcher(0.4, 0.5),
    "needs a matched_threshold": lambda: ArgmaxMatcher(None, 0.5),
    "there would be none": lambda: ArgmaxMatcher(0.5, 0.5, negatives_below=False),
}


@pytest.mark.parametrize("message", BAD)
def test_invalid_thresholds_are_rejected(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()
