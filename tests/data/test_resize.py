"""The five image resizers, against the original's sizes and samples."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from odapi.data.image.resize import (
    ConditionalShape,
    FixedShape,
    Identity,
    KeepAspectRatio,
    PadToMultiple,
    fixed_size,
    may_pad,
)
from requirement import require


def image_of(rows, dtype="uint8"):
    """A gray image [h, w, 3] of a table."""
    return np.repeat(np.array(rows, dtype)[..., None], 3, axis=2)


# By hand: position i reads at i * old / new; the last position repeats the edge.
ENLARGED = {
    "bilinear": [0, 20, 40, 60, 80, 80],
    "nearest": [0, 0, 40, 40, 80, 80],
    # Keys' kernel with a = -0.75 between two pixels: 0.59375 and -0.09375.
    "bicubic": [0, 16, 40, 64, 80, 84],
    "area": [0, 0, 40, 40, 80, 80],
}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("method", ENLARGED)
def test_enlarged_row_has_the_values_by_hand(method, dtype):
    image = image_of([[0, 40, 80]], dtype)
    resized, true = FixedShape(1, 6, method=method).resize(image)
    assert resized.dtype == dtype
    assert true == (1, 6)
    assert_allclose(resized[0, :, 0], ENLARGED[method], atol=0.5)


def test_reduced_row_skips_pixels_without_half_pixel_centers():
    resized, _ = FixedShape(1, 2).resize(image_of([[10, 50, 90, 130]]))
    assert resized[0, :, 0].tolist() == [10, 90]


@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "area"])
@pytest.mark.parametrize(
    "sizes", [(48, 64, 32, 32), (18, 24, 64, 64), (33, 50, 30, 31), (1, 1, 5, 3)]
)
def test_samples_equal_those_of_tensorflow(method, sizes):
    tf = require("tensorflow")
    ops = {
        "bilinear": tf.raw_ops.ResizeBilinear,
        "nearest": tf.raw_ops.ResizeNearestNeighbor,
        "bicubic": tf.raw_ops.ResizeBicubic,
        "area": tf.raw_ops.ResizeArea,
    }
    h, w, height, width = sizes
    image = np.random.default_rng(0).uniform(0, 255, (h, w, 3)).astype("float32")
    expected = ops[method](images=image[None], size=[height, width]).numpy()[0]
    resized, _ = FixedShape(height, width, method=method).resize(image)
    assert_allclose(resized, expected, atol=2e-3 if method == "area" else 2e-4)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "resizer"),
    [
        ("ssd_mobilenet_v2_320x320", FixedShape),
        ("ssd_mobilenet_v2_fpnlite_320x320", FixedShape),
        ("ssd_efficientdet_d0_512x512", KeepAspectRatio),
    ],
)
def test_golden_preprocessed_pictures_are_met(shared, monkeypatch, name, resizer):
    monkeypatch.syspath_prepend(str(shared / "golden"))
    golden_weights = require("golden_weights")
    stored = np.load(shared / "golden" / "outputs" / f"{name}.npz")
    meta = json.loads(str(stored["meta"]))
    info = meta["tensors"]["preprocessed"]
    side = info["shape"][1]
    images = golden_weights.images(info["shape"][0], 180, 240).astype("float32")
    if resizer is FixedShape:
        made = FixedShape(side, side)
        images = images / 127.5 - 1
    else:
        made = KeepAspectRatio(side, side, pad_to_max=True)
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        images = ((images / 255 - mean) / std).astype("float32")
    outputs = [made.resize(image) for image in images]
    flat = np.stack([image for image, _ in outputs]).reshape(-1)
    assert_allclose(flat[:: info["step"]], stored["preprocessed"].ravel(), atol=2e-6)
    true = stored["true_image_shapes"].reshape(-1, 3)[:, :2].tolist()
    assert [list(size) for _, size in outputs] == true


# Worked out in float32, rounded half to even, as the original does.
SIZES = [
    (KeepAspectRatio(600, 1024), (480, 640), (600, 800), (600, 800)),
    (KeepAspectRatio(600, 1024), (300, 900), (341, 1024), (341, 1024)),
    (KeepAspectRatio(512, 512), (480, 640), (384, 512), (384, 512)),
    (KeepAspectRatio(512, 512, pad_to_max=True), (640, 427), (512, 342), (512, 512)),
    (KeepAspectRatio(2, 100), (4, 5), (2, 2), (2, 2)),  # 2.5 goes to 2.
    (KeepAspectRatio(2, 100), (4, 7), (2, 4), (2, 4)),  # 3.5 goes to 4.
    (KeepAspectRatio(10, 10), (1, 500), (1, 10), (1, 10)),  # Never 0.
    (FixedShape(300, 200), (7, 9), (300, 200), (300, 200)),
    (Identity(), (7, 9), (7, 9), (7, 9)),
    (ConditionalShape("greater", 300), (600, 451), (300, 225), (300, 225)),
    (ConditionalShape("greater", 300), (200, 300), (200, 300), (200, 300)),
    (ConditionalShape("smaller", 300), (100, 151), (300, 453), (300, 453)),
    (ConditionalShape("smaller", 300), (300, 400), (300, 400), (300, 400)),
    (PadToMultiple(32), (64, 65), (64, 65), (64, 96)),
    (PadToMultiple(1), (7, 9), (7, 9), (7, 9)),
]


@pytest.mark.parametrize(("resizer", "size", "true", "padded"), SIZES)
def test_sizes_are_the_original_ones(resizer, size, true, padded):
    assert resizer.true_size(*size) == true
    assert resizer.output_size(*size) == padded
    image, found = resizer.resize(np.full((*size, 3), 7, "uint8"))
    assert image.shape == (*padded, 3)
    assert found == true
    assert (image[: true[0], : true[1]] == 7).all()
    assert not image[true[0] :].any()
    assert not image[:, true[1] :].any()


def test_padding_moves_boxes_and_keypoints_to_the_padded_picture():
    sample = {
        "image": np.zeros((10, 20, 3), "uint8"),
        "boxes": np.array([[0, 0, 1, 1], [0.5, 0.5, 1, 1]], "float32"),
        "keypoints": np.array([[[1, 1]], [[np.nan, np.nan]]], "float32"),
        "masks": np.ones((2, 10, 20), "uint8"),
    }
    made = KeepAspectRatio(40, 40, pad_to_max=True)(sample)
    assert made["boxes"].tolist() == [[0, 0, 0.5, 1], [0.25, 0.5, 0.5, 1]]
    assert made["keypoints"][0, 0].tolist() == [0.5, 1]
    assert np.isnan(made["keypoints"][1]).all()
    assert made["masks"].shape == (2, 40, 40)
    assert made["masks"][:, :20].all()
    assert not made["masks"][:, 20:].any()
    assert made["original_size"].tolist() == [10, 20]
    assert made["true_size"].tolist() == [20, 40]


def test_original_size_that_is_known_stays():
    sample = {
        "image": np.zeros((4, 4, 3), "uint8"),
        "original_size": np.array([8, 9], "int32"),
    }
    assert Identity()(sample)["original_size"].tolist() == [8, 9]


def test_pad_value_fills_the_padding_in_whole_numbers_for_uint8():
    resizer = KeepAspectRatio(4, 8, pad_to_max=True, pad_value=(1.6, 2.0, 3.0))
    image, _ = resizer.resize(np.full((4, 8, 3), 9, "uint8"))
    assert image[7, 7].tolist() == [2, 2, 3]
    image, _ = resizer.resize(np.full((4, 8, 3), 9, "float32"))
    assert_allclose(image[7, 7], [1.6, 2, 3])


def test_grayscale_is_the_luma_in_one_channel():
    image = np.zeros((2, 2, 3), "uint8")
    image[..., 0], image[..., 1], image[..., 2] = 100, 150, 200
    made, _ = FixedShape(3, 3, grayscale=True).resize(image)
    assert made.shape == (3, 3, 1)
    # 29.89 + 88.05 + 22.8 = 140.74
    assert (made == 141).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedShape(0, 3), "height must be 1 or more"),
        (lambda: KeepAspectRatio(5, 4), "above max_dimension 4"),
        (lambda: KeepAspectRatio(4, 4, pad_value=(1.0,)), "1 value for 3 channels"),
        (lambda: Identity(method="lanczos"), "method must be one of"),
        (lambda: ConditionalShape("larger"), "condition must be"),
        (lambda: PadToMultiple(-1), "multiple must be 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("resizer", "size", "pads"),
    [
        (FixedShape(30, 40), (30, 40), False),
        (KeepAspectRatio(60, 100, pad_to_max=True), (100, 100), True),
        (KeepAspectRatio(60, 100), None, False),
        (PadToMultiple(32), None, True),
        (ConditionalShape("greater", 100), None, False),
        (Identity(), None, False),
    ],
)
def test_what_is_known_of_all_pictures_before_any_is_seen(resizer, size, pads):
    assert (fixed_size(resizer), may_pad(resizer)) == (size, pads)
