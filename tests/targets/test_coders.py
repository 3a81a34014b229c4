"""Box coders: codes of the original, and decoding."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.targets.coders import (
    CenterSizeCoder,
    KeypointCoder,
    MeanStddevCoder,
    SquareCoder,
)

BOXES = np.array([[10.0, 10.0, 20.0, 15.0], [0.2, 0.1, 0.5, 0.4]], "float32")
ANCHORS = np.array([[15.0, 12.0, 30.0, 18.0], [0.1, 0.0, 0.7, 0.9]], "float32")

# From faster_rcnn_box_coder_test.py of the TF2 Object Detection API.
CENTER_SIZE = {
    (1.0, 1.0, 1.0, 1.0): [
        [-0.5, -0.416666, -0.405465, -0.182321],
        [-0.083333, -0.222222, -0.693147, -1.098612],
    ],
    (2.0, 3.0, 4.0, 5.0): [
        [-1.0, -1.25, -1.62186, -0.911608],
        [-0.166667, -0.666667, -2.772588, -5.493062],
    ],
}
# From square_box_coder_test.py.
SQUARE = {
    (1.0, 1.0, 1.0): [
        [-0.790569, -0.263523, -0.293893],
        [-0.068041, -0.272166, -0.89588],
    ],
    (2.0, 3.0, 4.0): [
        [-1.581139, -0.790569, -1.175573],
        [-0.136083, -0.816497, -3.583519],
    ],
}


def np_(x):
    return ops.convert_to_numpy(x)


@pytest.mark.backend
@pytest.mark.parametrize("scales", CENTER_SIZE)
def test_center_size_codes_of_the_original(scales):
    coder = CenterSizeCoder(scales)
    codes = coder.encode(ops.convert_to_tensor(BOXES), ops.convert_to_tensor(ANCHORS))
    assert_allclose(np_(codes), CENTER_SIZE[scales], rtol=1e-4)
    assert_allclose(
        np_(coder.decode(codes, ops.convert_to_tensor(ANCHORS))), BOXES, atol=1e-5
    )


@pytest.mark.backend
@pytest.mark.parametrize("scales", SQUARE)
def test_square_codes_of_the_original(scales):
    coder = SquareCoder(scales)
    codes = coder.encode(ops.convert_to_tensor(BOXES), ops.convert_to_tensor(ANCHORS))
    assert_allclose(np_(codes), SQUARE[scales], rtol=1e-4)
    got = np_(coder.decode(codes, ops.convert_to_tensor(ANCHORS)))
    # Same centers and areas; from square_box_coder_test.py.
    want = [[11.464466, 8.964466, 18.535534, 16.035534], [0.2, 0.1, 0.5, 0.4]]
    assert_allclose(got, want, rtol=1e-4)


@pytest.mark.backend
def test_mean_stddev_codes_of_the_original():
    anchors = ops.convert_to_tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 0.8]])
    boxes = ops.convert_to_tensor([[0.0, 0.0, 0.5, 0.5]] * 2)
    coder = MeanStddevCoder(0.1)
    codes = coder.encode(boxes, anchors)
    # From mean_stddev_box_coder_test.py.
    assert_allclose(np_(codes), [[0, 0, 0, 0], [-5, -5, -5, -3]], atol=1e-5)
    assert_allclose(np_(coder.decode(codes, anchors)), np_(boxes), atol=1e-6)


@pytest.mark.backend
def test_keypoints_are_encoded_like_centers():
    coder = KeypointCoder(2, (2.0, 3.0, 4.0, 5.0))
    points = np.array([[15.0, 12.0, 10.0, 15.0], [0.5, 0.3, 0.2, 0.4]], "float32")
    boxes = ops.convert_to_tensor(np.concatenate([BOXES, points], axis=1))
    codes = coder.encode(boxes, ops.convert_to_tensor(ANCHORS))
    # Anchor centers (22.5, 15), (0.4, 0.45); sizes (15, 6), (0.6, 0.9).
    shifts = [
        [2 * -7.5 / 15, 3 * -3 / 6, 2 * -12.5 / 15, 0],
        [2 * 0.1 / 0.6, 3 * -0.15 / 0.9, 2 * -0.2 / 0.6, 3 * -0.05 / 0.9],
    ]
    want = np.concatenate([CENTER_SIZE[coder.scales], shifts], axis=1)
    assert coder.code_size == 8
    assert_allclose(np_(codes), want, rtol=1e-4, atol=1e-6)
    back = coder.decode(codes, ops.convert_to_tensor(ANCHORS))
    assert_allclose(np_(back), np_(boxes), atol=1e-5)


def test_unlabeled_keypoints_stay_nan():
    boxes = np.array([[0, 0, 1, 1, np.nan, np.nan]], "float32")
    codes = np_(KeypointCoder(1).encode(ops.convert_to_tensor(boxes), [[0, 0, 1, 1.0]]))
    assert np.isnan(codes[0, 4:]).all()
    assert np.isfinite(codes[0, :4]).all()


@pytest.mark.parametrize("coder", [CenterSizeCoder(), SquareCoder(), MeanStddevCoder()])
def test_padding_has_finite_codes(coder):
    empty = ops.zeros((1, 4))
    assert np.isfinite(
        np_(coder.encode(empty, ops.convert_to_tensor([[0, 0, 1, 1.0]])))
    ).all()
    assert np.isfinite(np_(coder.encode(empty, empty))).all()


@pytest.mark.backend
@pytest.mark.parametrize("coder", [CenterSizeCoder(), SquareCoder()])
def test_huge_codes_decode_to_finite_boxes(coder):
    codes = ops.full((1, coder.code_size), 1e4)
    got = np_(coder.decode(codes, ops.convert_to_tensor([[0, 0, 0.5, 0.5]])))
    assert np.isfinite(got).all()
    assert np.isfinite((got[0, 2] - got[0, 0]) * (got[0, 3] - got[0, 1]))


def test_codes_broadcast_over_a_batch():
    coder = CenterSizeCoder()
    boxes = ops.convert_to_tensor(np.stack([BOXES, BOXES + 1]))
    codes = coder.encode(boxes, ops.convert_to_tensor(ANCHORS))
    assert tuple(codes.shape) == (2, 2, 4)
    back = np_(coder.decode(codes, ops.convert_to_tensor(ANCHORS)))
    assert_allclose(back, np_(boxes), atol=1e-5)


BAD = {
    "scales must be 4 numbers": lambda: CenterSizeCoder((1.0, 1.0, 0.0, 1.0)),
    "scales must be 3 numbers": lambda: SquareCoder((1.0, 1.0)),
    "stddev must be > 0": lambda: MeanStddevCoder(0.0),
    "num_keypoints must be >= 0": lambda: KeypointCoder(-1),
}


@pytest.mark.parametrize("message", BAD)
def test_invalid_coder_settings_are_rejected(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()
