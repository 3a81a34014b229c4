"""Masks that are decoded one at a time: as an array would do, and what they cost."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.image.resize import FixedShape
from odapi.data.mask_encoding import decode_segmentation
from odapi.data.sample import keep_objects

FIRST = np.array([[1, 0, 0], [1, 1, 0]], np.uint8)
MASKS = LazyMasks((lambda: FIRST, None, lambda: 1 - FIRST), (2, 3))
ALL = np.stack([FIRST, np.zeros_like(FIRST), 1 - FIRST])


def test_they_look_like_an_array():
    assert MASKS.shape == (3, 2, 3)
    assert (len(MASKS), MASKS.ndim, MASKS.dtype) == (3, 3, np.uint8)
    assert_array_equal(np.asarray(MASKS), ALL)
    assert_array_equal(MASKS[2], ALL[2])
    assert_array_equal(MASKS[-3], ALL[0])
    assert_array_equal(list(MASKS), ALL)


@pytest.mark.parametrize(
    "index", [slice(1, 3), [2, 0], np.array([True, False, True]), np.zeros(3, bool)]
)
def test_some_of_them_are_as_lazy(index):
    some = MASKS[index]
    assert isinstance(some, LazyMasks)
    assert_array_equal(np.asarray(some), ALL[index])


def test_they_turn():
    turned = MASKS.swapaxes(1, 2)
    assert turned.shape == (3, 3, 2)
    assert_array_equal(np.asarray(turned), ALL.swapaxes(1, 2))
    assert_array_equal(np.asarray(turned.swapaxes(2, 1)), ALL)
    with pytest.raises(ValueError, match="only rows and columns"):
        MASKS.swapaxes(0, 1)


def test_no_masks_keep_their_size():
    none = keep_objects({"masks": MASKS}, np.zeros(3, bool))["masks"]
    assert none.shape == (0, 2, 3)
    assert np.asarray(none).shape == (0, 2, 3)


def test_a_changed_picture_shows_the_same_of_them():
    image = LazyImage.of(np.zeros((2, 3, 3), np.uint8))
    for changed in (
        image,
        image.flip_columns(),
        image.window(-1, -1, 4, 4),
        image.resize(4, 9),
    ):
        assert_array_equal(changed.render_masks(MASKS), changed.render_masks(ALL))


def test_a_large_image_with_many_masks_takes_little():
    size = (3000, 4000)
    square = [[100, 100, 3000, 120, 2900, 2800]]
    masks = LazyMasks((lambda: decode_segmentation(square, size),) * 40, size)
    sample = {"image": np.zeros((*size, 3), np.uint8), "masks": masks}
    tracemalloc.start()
    made = FixedShape(height=256, width=256)(sample)["masks"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.shape == (40, 256, 256)
    assert made[0].mean() == pytest.approx(0.31, abs=0.02)  # By hand: 3.77 of 12 MP.
    assert peak < 120e6  # All at once would be 480 MB.
