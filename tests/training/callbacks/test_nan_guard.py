"""Diverged losses are found and named."""

import math

import pytest

from odapi.losses.names import TOTAL_LOSS
from odapi.training.callbacks.nan_guard import diverged_losses


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        ({"Loss/a": 1.0, TOTAL_LOSS: 3.0}, {}),
        ({"Loss/a": math.nan, "Loss/b": 1.0, TOTAL_LOSS: math.nan}, {"Loss/a"}),
        (
            {"Loss/a": math.inf, "Loss/b": -math.inf, TOTAL_LOSS: 0.0},
            {"Loss/a", "Loss/b"},
        ),
        ({"Loss/a": 1.0, TOTAL_LOSS: math.nan}, {"Loss/a"}),  # The largest part.
        ({TOTAL_LOSS: math.inf}, {TOTAL_LOSS}),
        ({"Loss/a": 1999.0, TOTAL_LOSS: 1999.0}, {}),
        ({"Loss/a": 2001.0, "Loss/b": 5.0, TOTAL_LOSS: 2006.0}, {"Loss/a"}),
    ],
)
def test_diverged_parts_are_named(losses, diverged):
    assert set(diverged_losses(losses, reference=2.0)) == set(diverged)


@pytest.mark.parametrize(
    ("total", "reference", "diverged"),
    [(1e5, None, False), (9e7, 1e5, False), (2e8, 1e5, True), (2e8, None, False)],
)
def test_the_first_loss_may_be_large(total, reference, diverged):
    losses = {"Loss/a": total, TOTAL_LOSS: total}
    assert bool(diverged_losses(losses, reference)) == diverged
