"""Masks of boxes on images: windows, run lengths, memory."""

import tracemalloc

import numpy as np
import pytest

from odapi.geometry.masks import (
    MaskWindow,
    paste_masks,
    paste_window,
    run_lengths,
    window_rle,
)
from requirement import require

FULL = np.ones((1, 4, 4), "float32")


def pasted(masks, boxes, size, **options):
    windows = paste_masks(
        np.asarray(masks), np.array(boxes, "float32"), size, **options
    )
    return [paste_window(window, size).tolist() for window in windows]


@pytest.mark.parametrize(
    ("box", "size", "expected"),
    [
        # 0 and 1 are the centers of the first and last pixel.
        ([0, 0, 1, 1], (2, 3), [[1, 1, 1], [1, 1, 1]]),
        ([0, 0, 0.5, 1], (3, 2), [[1, 1], [1, 1], [0, 0]]),
        ([0.4, 0.4, 0.6, 0.6], (3, 3), [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        # Between two pixels there is none.
        ([0.6, 0, 0.9, 1], (3, 1), [[0], [0], [0]]),
        # Beyond the image, without area, turned around, not a number.
        ([-1, -1, 2, 2], (1, 2), [[1, 1]]),
        ([1.5, 0, 2, 1], (1, 2), [[0, 0]]),
        ([0.5, 0, 0.5, 1], (3, 1), [[0], [0], [0]]),
        ([1, 0, 0, 1], (2, 1), [[0], [0]]),
        ([np.nan, 0, 1, 1], (2, 1), [[0], [0]]),
    ],
)
def test_a_mask_covers_the_pixels_in_its_box(box, size, expected):
    assert pasted(FULL, [box], size) == [expected]


def test_interpolated_values_are_compared_with_the_threshold():
    step = [[[0.0, 1.0]]]  # Rises from 0 to 1 over five pixels.
    box = [[0, 0, 1, 1]]
    assert pasted(step, box, (1, 5)) == [[[0, 0, 0, 1, 1]]]
    assert pasted(step, box, (1, 5), threshold=0.2) == [[[0, 1, 1, 1, 1]]]


def test_pasted_masks_equal_those_of_the_original():
    tf = require("tensorflow")
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.uniform(-0.1, 1.1, (20, 2, 2)), 1).reshape(20, 4)
    masks = rng.uniform(size=(20, 8, 6)).astype("float32")
    low, sides = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    image = np.concatenate([-low / sides, (1 - low) / sides], 1).astype("float32")
    expected = tf.image.crop_and_resize(masks[..., None], image, range(20), (37, 53))
    found = pasted(masks, boxes, (37, 53))
    assert found == (expected.numpy()[..., 0] > 0.5).astype(int).tolist()


@pytest.mark.parametrize(
    ("window", "size", "expected"),
    [
        (MaskWindow(0, 0, np.zeros((0, 0), bool)), (2, 3), [6]),
        (MaskWindow(1, 1, np.ones((1, 1), bool)), (2, 3), [3, 1, 2]),
        (MaskWindow(0, 0, np.ones((2, 3), bool)), (2, 3), [0, 6]),
        # One run over the ends of columns.
        (MaskWindow(0, 1, np.ones((2, 2), bool)), (2, 4), [2, 4, 2]),
        (MaskWindow(0, 0, np.array([[1, 0], [1, 1]], bool)), (2, 2), [0, 2, 1, 1]),
        (MaskWindow(1, 0, np.array([[1, 1]], bool)), (2, 2), [1, 1, 1, 1]),
    ],
)
def test_run_lengths_are_in_column_order(window, size, expected):
    assert run_lengths(window, size) == expected


def test_rle_equals_that_of_pycocotools():
    coco = require("pycocotools.mask")
    rng = np.random.default_rng(1)
    for _ in range(30):
        size = tuple(rng.integers(1, 9, 2))
        height, width = rng.integers(1, size[0] + 1), rng.integers(1, size[1] + 1)
        top = rng.integers(0, size[0] - height + 1)
        left = rng.integers(0, size[1] - width + 1)
        window = MaskWindow(top, left, rng.random((height, width)) < 0.6)
        whole = np.asfortranarray(paste_window(window, size))
        assert (
            window_rle(window, size)["counts"] == coco.encode(whole)["counts"].decode()
        )


def test_hundred_masks_on_a_large_image_need_little_memory():
    yy, xx = np.mgrid[-1:1:32j, -1:1:32j]
    masks = np.repeat((1 - (yy**2 + xx**2) / 2)[None], 100, 0).astype("float32")
    boxes = np.tile([[0.2, 0.2, 0.8, 0.8]], (100, 1))
    size = (4000, 3000)
    tracemalloc.start()
    rles = [window_rle(window, size) for window in paste_masks(masks, boxes, size)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rles) == 100
    assert peak < 150e6  # Whole images of all would be 1.2 GB.
