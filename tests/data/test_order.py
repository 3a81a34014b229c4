"""The order of the samples."""

import collections

import numpy as np
import pytest

from odapi.data.loader.order import Order


@pytest.mark.parametrize("length", [1, 2, 10, 1000])
def test_each_epoch_is_a_permutation(length):
    indices = Order(seed=3).indices(length)
    for epoch in range(3):
        seen = [indices[i] for i in range(epoch * length, (epoch + 1) * length)]
        assert sorted(seen) == list(range(length))


def test_epochs_differ_and_so_do_seeds():
    def epoch(seed, number):
        indices = Order(seed=seed).indices(20)
        return [indices[i] for i in range(20 * number, 20 * number + 20)]

    orders = [epoch(seed, number) for seed in (0, 1) for number in (0, 1, 2)]
    # Neither is the second epoch of one seed the first one of the next.
    assert len(set(map(tuple, orders))) == len(orders)
    assert epoch(1, 2) == epoch(1, 2)


def test_evaluation_goes_through_once_in_order():
    assert list(Order(training=False).indices(4)) == [0, 1, 2, 3]


def test_any_position_can_be_asked_for_at_once():
    indices = Order(seed=3).indices(7)
    assert 0 <= indices[10**15] < 7


@pytest.mark.parametrize(
    ("weights", "counts"),
    [((1.0, 1.0), (1500, 1500)), ((0.9, 0.1), (2700, 300)), ((0.0, 2.0), (0, 3000))],
)
def test_a_mixture_has_its_proportions(weights, counts):
    indices = Order(parts=(3, 5), weights=weights).indices(8)
    seen = [indices[i] for i in range(3000)]
    found = sum(i < 3 for i in seen), sum(i >= 3 for i in seen)
    assert found == counts
    # Within a part, each sample comes as often as any other.
    for part in (range(3), range(3, 8)):
        often = [collections.Counter(seen)[i] for i in part]
        assert max(often) - min(often) <= 1


def test_random_numbers_depend_on_seed_and_position_only():
    def drawn(seed, position):
        return tuple(Order(seed=seed).rng(position).random(3))

    assert drawn(1, 5) == drawn(1, 5)
    assert len({drawn(s, p) for s in (0, 1, 2**64 - 1) for p in range(50)}) == 150


def test_random_numbers_are_spread_evenly_over_positions():
    draws = np.array([Order().rng(position).random() for position in range(4000)])
    assert np.abs(np.histogram(draws, 10, (0, 1))[0] - 400).max() < 90
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.05
