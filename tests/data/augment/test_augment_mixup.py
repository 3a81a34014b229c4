"""Blending of two images, with fixed random numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from partner_samples import Draws, boxes_px, partners_of, plain

from odapi.data.augment.mixup import MixUp
from odapi.data.image.lazy import rendered

MIX = MixUp(1.0)


def mixup(first, second, share, position, size=None):
    rng = Draws(0.0, share, np.array(position))
    return rendered(MIX(first, rng, partners_of(second, size=size)))


def test_a_smaller_image_is_blended_where_it_lies():
    first = plain("first", 100, (20, 40), (0, 0, 10, 10))
    second = plain("second", 200, (10, 20), (5, 5, 10, 15))
    # 11 rows and 21 columns are possible: the last of them is 10 and 20.
    made = mixup(first, second, 0.25, (0.999, 0.5))
    expected = np.full((20, 40), 100)
    expected[10:, 10:30] = 175  # 100 / 4 + 200 * 3 / 4
    assert (made["image"][..., 0] == expected).all()
    assert_allclose(boxes_px(made), [[0, 0, 10, 10], [15, 15, 20, 25]], atol=1e-5)
    assert made["masks"][1].sum() == 50 and made["masks"][1, 15:20, 15:25].all()
    assert made["classes"].tolist() == [100, 200]
    assert made["image_id"] == "first"
    assert (first["image"] == 100).all()  # Not modified.


def test_a_larger_image_is_shrunk_to_fit():
    first, second = plain("a", 0, (20, 40)), plain("b", 200, (40, 40), (0, 0, 40, 20))
    made = mixup(first, second, 0.5, (0.0, 0.0))
    assert made["image"][:, :20, 0].min() == made["image"][:, :20, 0].max() == 100
    assert not made["image"][:, 20:].any()
    assert_allclose(boxes_px(made), [[0, 0, 20, 10]], atol=1e-5)


def test_both_have_the_size_of_the_resizer():
    first, second = plain("a", 0, (20, 40)), plain("b", 200, (10, 10), (0, 0, 5, 5))
    made = mixup(first, second, 0.5, (0.5, 0.5), size=(8, 6))
    assert made["image"].shape == (8, 6, 3) and (made["image"] == 100).all()
    assert_allclose(boxes_px(made), [[0, 0, 4, 3]], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"), [((-1.0,), "probability"), ((1.0, 0.0), "alpha")]
)
def test_values_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        MixUp(*arguments)
