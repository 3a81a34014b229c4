"""RoI crops: levels by hand, crops against TensorFlow's operation."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry.crop import roi_align as roi
from odapi.geometry.crop.roi_align import (
    CropAndResize,
    RoiAlign,
    crop_masks,
    crop_rois,
    pool_rois,
    roi_levels,
)
from odapi.kernels.crop import has_native_crop
from requirement import require

pytestmark = pytest.mark.backend

# A row counts 10, a column 1: bilinear reading gives the position.
RAMP = (10.0 * np.arange(3)[:, None] + np.arange(4)).astype("float32")[None, ..., None]


def crop(box, size, method, maps=RAMP):
    boxes = np.array(box, "float32")[None, None]
    return ops.convert_to_numpy(crop_rois([ops.array(maps)], boxes, size, method))[0, 0]


@pytest.fixture(params=["native", "gather"])
def crop_kernel(request, monkeypatch):
    """TensorFlow on a CPU has an operation for it; other backends read by index."""
    if request.param == "gather":
        if not has_native_crop():
            pytest.skip("no native operation")
        monkeypatch.setattr(roi, "has_native_crop", lambda: False)


@pytest.mark.parametrize(
    ("method", "box", "size", "expected"),
    [
        (CropAndResize(), [0, 0, 1, 1], (3, 4), RAMP[0, ..., 0]),
        (CropAndResize(), [0.25, 0.5, 0.75, 1], (2, 2), [[6.5, 8], [16.5, 18]]),
        (CropAndResize(), [0, 0, 1, 1], (1, 1), [[11.5]]),
        # Without area, a box repeats one place; padding reads the first cell.
        (CropAndResize(), [0, 0, 0, 0], (2, 2), [[0, 0], [0, 0]]),
        (CropAndResize(), [0.5, 1, 0.5, 1], (1, 2), [[13, 13]]),
        # Outside is 0.
        (CropAndResize(), [-1, 0, 1, 0], (3, 1), [[0], [0], [20]]),
        (CropAndResize(zero_pad_border=True), [0, 0, 1, 1], (3, 4), RAMP[0, ..., 0]),
        # Row 2.5 fades half.
        (CropAndResize(zero_pad_border=True), [1.25, 0, 1.25, 0], (1, 1), [[10]]),
        # Two bins of 1.5 rows, each read in its middle: 0.25 and 1.75.
        (RoiAlign(1), [0, 0.5, 1, 0.5], (2, 1), [[2.5 + 1.5], [17.5 + 1.5]]),
        # Points at rows 0.5 and 1.5, columns 0 and 2: their mean.
        (RoiAlign(2), [1 / 6, -0.125, 5 / 6, 0.875], (1, 1), [[10 + 1]]),
        # Half a cell outside still reads the outer row.
        (RoiAlign(1), [0, 0.5, 0, 0.5], (1, 1), [[1.5]]),
        (RoiAlign(1), [-1, 0.5, -1, 0.5], (1, 1), [[0]]),
    ],
)
def test_crops_by_hand(method, box, size, expected, crop_kernel):
    assert_allclose(crop(box, size, method)[..., 0], expected, atol=1e-5)


def test_map_of_one_pixel(crop_kernel):
    one = np.full((1, 1, 1, 1), 7, "float32")
    for method in (CropAndResize(), CropAndResize(zero_pad_border=True), RoiAlign(2)):
        assert_allclose(crop([0, 0, 1, 1], (2, 2), method, one), np.full((2, 2, 1), 7))


def test_crop_is_rounded_like_that_of_tensorflow(crop_kernel):
    tf = require("tensorflow")
    rng = np.random.default_rng(0)
    boxes = np.sort(rng.random((2, 60, 2, 2)), axis=2).reshape(2, 60, 4)
    boxes[:, ::2, 2:] = 1.0  # Many last rows are outside by a rounding, and 0.
    boxes = boxes.astype("float32")
    maps = rng.normal(size=(2, 16, 16, 3)).astype("float32")
    owners = np.repeat([0, 1], 60)
    expected = tf.image.crop_and_resize(maps, boxes.reshape(-1, 4), owners, (14, 14))
    found = ops.convert_to_numpy(crop_rois([ops.array(maps)], boxes, (14, 14)))
    assert (expected.numpy() == 0).any()
    assert_allclose(found.reshape(expected.shape), expected, atol=1e-5)


def test_each_box_is_cropped_from_its_level(crop_kernel):
    maps = [np.full((2, 8 >> n, 8 >> n, 1), n + 1.0, "float32") for n in range(4)]
    sides = np.array([[10, 112, 224, 640], [448, 10, 0, 113]]) / 640
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=-1).astype("float32")
    found = crop_rois(list(map(ops.array, maps)), boxes, (2, 3), image_size=(640, 640))
    found = ops.convert_to_numpy(found)
    assert found.shape == (2, 4, 2, 3, 1)
    # Of four levels, the third is that of 224 pixels.
    assert found[:, :, 0, 0, 0].tolist() == [[1, 2, 3, 4], [4, 1, 1, 2]]


@pytest.mark.parametrize(
    ("num_levels", "sides", "expected"),
    [
        (5, [0, 1, 55, 57, 111, 113, 223, 225], [0, 0, 0, 1, 1, 2, 2, 3]),
        (5, [448, 640], [4, 4]),
        (2, [0, 223, 225, 448, 640], [0, 0, 0, 1, 1]),
    ],
)
def test_roi_levels_by_box_size(num_levels, sides, expected):
    sides = np.array([sides]) / 640
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], -1).astype("float32")
    found = roi_levels(boxes, num_levels, (640, 640))
    assert ops.convert_to_numpy(found)[0].tolist() == expected


def test_roi_levels_require_the_image_size():
    with pytest.raises(ValueError, match="image_size is required"):
        crop_rois([RAMP, RAMP], np.zeros((1, 1, 4), "float32"), (2, 2))


def test_pooling_drops_partial_windows():
    crops = np.arange(9, dtype="float32").reshape(1, 1, 3, 3, 1)
    pooled = ops.convert_to_numpy(pool_rois(ops.array(crops), 2, 2))
    assert pooled.tolist() == [[[[[4]]]]]
    assert pool_rois(crops, 1, 1) is crops


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("zero_pad_border", [False, True])
def test_crop_masks_uses_the_mask_of_each_box(zero_pad_border, dtype, crop_kernel):
    masks = np.stack([RAMP[0, ..., 0], 2 * RAMP[0, ..., 0]])[None].repeat(2, 0)
    owners = np.array([[1, 0, 1], [0, 0, 1]], "int32")
    boxes = np.array([[0, 0, 1, 1], [1, 0, 1, 1], [0, 1, 1, 1]], "float32")
    found = crop_masks(
        ops.array(masks.astype(dtype)),
        ops.array(owners),
        ops.array(np.stack([boxes, boxes])),
        (2, 2),
        CropAndResize(zero_pad_border),
    )
    expected = [
        [[[0, 6], [40, 46]], [[20, 23], [20, 23]], [[6, 6], [46, 46]]],
        [[[0, 3], [20, 23]], [[20, 23], [20, 23]], [[6, 6], [46, 46]]],
    ]
    assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-4)
