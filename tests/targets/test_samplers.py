"""Random sampling of anchors: sizes, candidates, seeds."""

import numpy as np
import pytest
from keras import ops

from odapi.targets.samplers import BalancedSampler


def sample(sampler, candidates, positives, seed=1):
    masks = (ops.convert_to_tensor(np.array(m)) for m in (candidates, positives))
    return ops.convert_to_numpy(sampler(*masks, seed))


def masks(positives, candidates=100, total=120):
    place = np.arange(total)
    return (place < candidates)[None], (place < positives)[None]


# fraction, size, positives, candidates -> sampled positives, sampled negatives
CASES = {
    "all positives, negatives by ratio": (0.25, None, 10, 100, 10, 30),
    "too few negatives": (0.01, None, 10, 100, 10, 90),
    "no positives, nothing": (0.5, None, 0, 100, 0, 0),
    "positives only": (1.0, None, 10, 100, 10, 0),
    "size, too few positives": (0.5, 32, 10, 100, 10, 22),
    "size, enough positives": (0.5, 32, 40, 100, 16, 16),
    "size, few candidates": (0.5, 64, 10, 20, 10, 10),
    "size, no positives": (0.5, 32, 0, 100, 0, 32),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_sample_size(name):
    fraction, size, positives, candidates, want_positive, want_negative = CASES[name]
    allowed, positive = masks(positives, candidates)
    got = sample(BalancedSampler(fraction, size), allowed, positive)
    assert (got & positive).sum() == want_positive
    assert (got & ~positive).sum() == want_negative
    assert not (got & ~allowed).any()


def test_positives_must_be_candidates():
    got = sample(BalancedSampler(0.5), [[False, True, True]], [[True, True, False]])
    assert got.tolist() == [[False, True, True]]


@pytest.mark.backend
def test_the_same_seed_gives_the_same_anchors():
    allowed, positive = masks(10)
    sampler = BalancedSampler(0.5)
    first, again, other = (sample(sampler, allowed, positive, s) for s in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5])
def test_invalid_fraction_is_rejected(fraction):
    with pytest.raises(ValueError, match=r"must be in \(0, 1\]"):
        BalancedSampler(fraction)


def test_size_of_zero_is_rejected():
    with pytest.raises(ValueError, match="size must be at least 1"):
        BalancedSampler(0.5, 0)


def test_other_anchors_fill_a_sample():
    candidates = ops.convert_to_tensor([[False, True, False, False]])
    positives = ops.convert_to_tensor([[False, True, False, True]])
    found = BalancedSampler(0.5, 3, fill=True)(candidates, positives, 0)
    assert ops.convert_to_numpy(found).tolist() == [[True, True, True, False]]
    found = BalancedSampler(0.5, 9, fill=True)(candidates, positives, 0)
    assert ops.convert_to_numpy(found).all()
