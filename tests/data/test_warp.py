"""Axes: positions of an image and of its source."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from odapi.data.image.lazy import LazyImage
from odapi.data.image.warp import Axis, sample_bilinear, sample_masks
from odapi.data.loader.malloc import keep_freed_memory


def positions(axis):
    return [axis.step * i + axis.start for i in range(axis.size)]


# By hand: positions in a source of 6 pixels.
CASES = [
    (lambda a: a, [0, 1, 2, 3, 4, 5], (0, 6), (0, 6)),
    (lambda a: a.flip(), [5, 4, 3, 2, 1, 0], (0, 6), (0, 6)),
    (lambda a: a.window(2, 3), [2, 3, 4], (0, 3), (2, 5)),
    (lambda a: a.flip().window(2, 3), [3, 2, 1], (0, 3), (1, 4)),
    (lambda a: a.window(-2, 5), [-2, -1, 0, 1, 2], (2, 5), (0, 3)),
    (lambda a: a.window(4, 4), [4, 5, 6, 7], (0, 2), (4, 6)),
    (lambda a: a.resize(3), [0, 2, 4], (0, 3), (0, 6)),
    (lambda a: a.resize(3, centered=True), [0.5, 2.5, 4.5], (0, 3), (0, 6)),
    (lambda a: a.resize_corners(3), [0, 2.5, 5], (0, 3), (0, 6)),
    (lambda a: a.flip().resize_corners(11), np.arange(10, -1, -1) / 2, (0, 11), (0, 6)),
    (lambda a: a.resize_corners(1), [0], (0, 1), (0, 6)),
    (lambda a: a.resize(4), [0, 1.5, 3, 4.5], (0, 4), (0, 6)),
    (lambda a: a.flip().resize(3), [5, 3, 1], (0, 3), (0, 6)),
    (lambda a: a.window(2, 2).resize(4), [2, 2.5, 3, 3.5], (0, 4), (2, 4)),
    (lambda a: a.resize(12).window(6, 4), [3, 3.5, 4, 4.5], (0, 4), (3, 6)),
    (lambda a: a.window(-6, 12).resize(4), [-6, -3, 0, 3], (2, 4), (0, 5)),
    (lambda a: a.window(9, 3), [9, 10, 11], (0, 0), None),
]


@pytest.mark.parametrize(("change", "at", "span", "read"), CASES)
def test_positions_and_what_is_read_by_hand(change, at, span, read):
    axis = change(Axis.of(6))
    assert_allclose(positions(axis), at, atol=1e-8)
    assert axis.span == span
    if read:
        assert axis.read[0] >= read[0]
        assert axis.read[1] <= read[1]
    else:
        assert axis.read[0] == axis.read[1]


def test_centered_scaling_equals_opencv_and_fits_boxes():
    image = np.zeros((8, 8, 3), "float32")
    image[2:4, 4:8] = 100
    lazy = LazyImage.of(image).resize(16, 16, centered=True)
    assert lazy.rows.is_spread
    made = lazy.render()
    # The edges lie at 4, 8 and 8, 16; a pixel on either side is mixed.
    assert (made[5:7, 9:] == 100).all()
    assert not made[:3].any()
    assert_allclose(made.sum(), image.sum() * 4, rtol=1e-5)


def test_scaling_without_centers_is_never_taken_for_centered():
    for size in (3, 4, 12, 7):
        assert not Axis.of(6).resize(size).is_spread
        assert Axis.of(6).resize(size, centered=True).is_spread
        assert Axis.of(6).resize(size, centered=True).flip().is_spread
    assert not Axis.of(6).resize(12, centered=True).window(1, 11).is_spread


@pytest.mark.parametrize("size", [(5, 5), (20, 20)])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("flipped", [False, True])
def test_writing_into_a_part_of_an_array_gives_the_same(size, centered, flipped):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (10, 11, 3), dtype=np.uint8)
    lazy = LazyImage.of(image).resize(*size, centered)
    if flipped:
        lazy = lazy.flip_columns()
    alone = sample_bilinear(image, lazy.rows, lazy.columns)
    canvas = np.full((30, 30, 3), 7, "uint8")
    part = canvas[3 : 3 + size[0], 4 : 4 + size[1]]
    assert sample_bilinear(image, lazy.rows, lazy.columns, part) is part
    assert_array_equal(part, alone)
    assert (canvas[:3] == 7).all()
    assert (canvas[:, 4 + size[1] :] == 7).all()


def test_large_sources_and_other_channels_are_warped_alike():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    axes = Axis.of(300).resize(40), Axis.of(400).resize(41)
    whole = sample_bilinear(image, *axes)  # Three channels: a much larger source.
    for channel in range(3):
        single = sample_bilinear(image[..., channel : channel + 1], *axes)
        assert_array_equal(single[..., 0], whole[..., channel])


def test_masks_of_no_objects_keep_the_size():
    axes = Axis.of(6).resize(3), Axis.of(8).window(-1, 12)
    assert sample_masks(np.zeros((0, 6, 8), "uint8"), *axes).shape == (0, 3, 12)


def test_memory_can_be_kept_or_there_is_nothing_to_keep():
    assert keep_freed_memory() in (True, False)
