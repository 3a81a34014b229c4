"""Cuts that are moved onto the grid of a plain resize."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scene import scene

from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window, move_to, to_grid
from odapi.data.image.resize import FixedShape

WINDOW = Window(5, 6, 30, 40)


def ramp(axis, height=60, width=100):
    """Returns a float image whose values are 2 x (row or column)."""
    values = 2.0 * np.indices((height, width))[axis]
    return np.repeat(values[..., None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize("size", [(64, 64), (15, 20), (30, 40), (7, 96)])
@pytest.mark.parametrize("flipped", [False, True])
def test_the_picture_is_that_of_a_plain_resize(size, flipped):
    image = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
    sample, part = move_to({"image": image}, WINDOW), image[5:35, 6:46]
    if flipped:
        sample, part = transforms.flip(sample), np.ascontiguousarray(part[:, ::-1])
    made = FixedShape(*size)(to_grid(sample, *size))["image"]
    expected = cv2.resize(part, size[::-1])
    # Halves may be rounded the other way when read from the other side.
    assert_allclose(made.astype(int), expected, atol=int(flipped))


@pytest.mark.parametrize("size", [(64, 80), (15, 20), (12, 10)])
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_boxes_keep_their_place_on_the_pixels(size, flipped, axis):
    # Of an image that is not moved, the value at a row is 2 x (row * scale + start),
    # and a box that begins at pixel p of the source begins there: at no fraction off.
    box = np.float32([[16 / 60, 20 / 100, 24 / 60, 30 / 100]])
    sample = move_to({"image": ramp(axis), "boxes": box}, WINDOW)
    if flipped:
        sample = transforms.flip(sample)
    places = []
    for moved in (sample, to_grid(sample, *size)):
        made = FixedShape(*size)(moved)
        row, column = (made["boxes"][0, :2] * size).tolist()
        # Positions of a box are those of edges; of a pixel, those of its index.
        at = np.arange(size[axis])
        values = made["image"][:, 0, 0] if axis == 0 else made["image"][0, :, 0]
        places.append(np.interp((row, column)[axis], at, values))
    assert_allclose(places[1], places[0], atol=1e-3)


def test_by_hand():
    # 30 rows become 15: begun (2 - 1) / 2 pixels later, that is 1/60 of the image.
    sample = {
        "image": np.zeros((60, 100, 3), np.uint8),
        "boxes": np.float32([[10 / 60, 26 / 100, 20 / 60, 46 / 100]]),
        "classes": np.int32([0]),
        "keypoints": np.float32([[[20 / 60, 26 / 100]]]),
    }
    moved = to_grid(move_to(sample, WINDOW), 15, 40)
    assert_allclose(
        moved["boxes"], [[5 / 30 - 1 / 60, 0.5, 15 / 30 - 1 / 60, 1.0]], atol=1e-6
    )
    assert_allclose(moved["keypoints"], [[[15 / 30 - 1 / 60, 0.5]]], atol=1e-6)


def test_a_sliver_of_which_nothing_is_left_is_dropped_and_clipping_kept_off():
    image = np.zeros((60, 100, 3), np.uint8)
    boxes = np.float32([[0, 0, 0.01, 1], [0, 0, 0.5, 1]])
    sample = {"image": image, "boxes": boxes, "classes": np.arange(2, dtype=np.int32)}
    cut = move_to({"image": image}, Window(0, 0, 30, 100))["image"]
    moved = to_grid(sample | {"image": cut}, 10, 100)  # By 1 / 30.
    assert moved["classes"].tolist() == [1]
    assert_allclose(moved["boxes"], [[0, 0, 0.5 - 1 / 30, 1]], atol=1e-6)
    beyond = sample | {"image": cut, "boxes": boxes - np.float32([0.2, 0, 0, 0])}
    moved = to_grid(beyond, 10, 100)
    assert_allclose(moved["boxes"], [[-0.2 - 1 / 30, 0, 0.5 - 1 / 30, 1]], atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda sample: sample,
        transforms.flip,
        lambda sample: move_to(sample, Window(-2, 0, 70, 100)),
        lambda sample: transforms.resize(move_to(sample, WINDOW), 50, 50),
        lambda sample: move_to(sample, Window(0, 0, 60, 100)),
    ],
    ids=["an array", "whole, flipped", "padded", "scaled", "all of it"],
)
def test_what_is_not_cut_out_stays_as_it_is(change):
    sample = change(scene())
    moved = to_grid(sample, 32, 32)
    assert moved is sample


def test_masks_are_read_where_the_pixels_are():
    sample = move_to(scene(), Window(4, 6, 40, 60))
    sample = transforms.drop_outside(sample)
    made = FixedShape(20, 30)(to_grid(sample, 20, 30))
    inside = made["masks"][0].astype(bool)
    # Half a pixel of the source at most belongs to another.
    assert_array_equal(made["image"][..., 0][inside] >= 45, True)
    assert inside.sum() == 8 * 12
