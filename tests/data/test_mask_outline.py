"""Outlines of masks decode to the same pixels."""

import cv2
import numpy as np
import pytest

from odapi.data.mask_encoding import decode_segmentation
from odapi.data.mask_outline import outline


def decoded(mask):
    height, width = mask.shape
    # As text in a label file: normalized, with seven digits.
    points = outline(mask) / [width, height]
    texts = [f"{v:.7g}" for v in points.reshape(-1)]
    values = np.array([float(t) for t in texts]).reshape(-1, 2) * [width, height]
    return decode_segmentation([values.reshape(-1).tolist()], mask.shape)


def test_a_rectangle_has_four_corners():
    mask = np.zeros((5, 7), np.uint8)
    mask[1:3, 2:6] = 1
    assert outline(mask).tolist() == [[2, 1], [6, 1], [6, 3], [2, 3]]


def test_an_empty_mask_has_no_outline():
    assert outline(np.zeros((3, 4), np.uint8)).shape == (0, 2)


@pytest.mark.parametrize(
    "rows",
    [
        ["1"],
        ["11", "11"],
        ["10", "01"],  # Pixels that touch at a corner.
        ["01", "10"],
        ["111", "101", "111"],  # A hole.
        ["101", "000", "101"],  # Four parts.
        ["11111", "10001", "10101", "10001", "11111"],  # A part in a hole.
        ["1010", "0101", "1010", "0101"],
    ],
)
def test_small_masks(rows):
    mask = np.array([[int(c) for c in row] for row in rows], np.uint8)
    np.testing.assert_array_equal(decoded(mask), mask)
    padded = np.pad(mask, ((2, 3), (1, 4)))
    np.testing.assert_array_equal(decoded(padded), padded)


@pytest.mark.parametrize("seed", range(20))
def test_random_masks(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 200, 2)
    noise = rng.normal(size=(height, width)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.5, 6)))
    mask = (blurred > blurred.std() * rng.uniform(-1, 1)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(mask), mask)
