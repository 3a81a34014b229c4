"""Anchor generators: positions, sizes, order."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from odapi.targets.anchors import (
    FlexibleGrid,
    FlexibleGridAnchors,
    GridAnchors,
    PyramidAnchors,
    SsdAnchors,
)

# Height and width, corners in pixels. From grid_anchor_generator_test.py of the
# TF2 Object Detection API: center (7, -3), aspect ratio outer, scale inner loop.
NINE = [
    [-121, -35, 135, 29],
    [-249, -67, 263, 61],
    [-505, -131, 519, 125],
    [-57, -67, 71, 61],
    [-121, -131, 135, 125],
    [-249, -259, 263, 253],
    [-25, -131, 39, 125],
    [-57, -259, 71, 253],
    [-121, -515, 135, 509],
]


def test_grid_anchors_of_one_cell():
    anchors = GridAnchors(
        scales=(0.5, 1.0, 2.0), aspect_ratios=(0.25, 1.0, 4.0), offset=(7, -3)
    )
    assert anchors.per_location == (9,)
    got = anchors((100, 200), [(1, 1)])
    assert got.dtype == np.float32
    assert_allclose(got * [100, 200, 100, 200], NINE, rtol=1e-5)


def test_grid_anchors_are_ordered_by_row_column_anchor():
    anchors = GridAnchors(
        base_size=(10, 10), stride=(19, 23), scales=(0.5, 1.0), aspect_ratios=(1.0,)
    )
    got = anchors((1, 1), [(2, 2)])
    # From grid_anchor_generator_test.py: centers (0, 0), (0, 23), (19, 0), (19, 23).
    assert_allclose(
        got,
        [
            [-2.5, -2.5, 2.5, 2.5],
            [-5, -5, 5, 5],
            [-2.5, 20.5, 2.5, 25.5],
            [-5, 18, 5, 28],
            [16.5, -2.5, 21.5, 2.5],
            [14, -5, 24, 5],
            [16.5, 20.5, 21.5, 25.5],
            [14, 18, 24, 28],
        ],
    )


def test_pyramid_anchors_of_one_level():
    anchors = PyramidAnchors(5, 5, 4.0, (1.0,), 1)
    # From multiscale_grid_anchor_generator_test.py: stride 32, side 128.
    want = np.array(
        [[-48, -48, 80, 80], [-48, -16, 80, 112],
         [-16, -48, 112, 80], [-16, -16, 112, 112]]
    )  # fmt: skip
    assert_allclose(anchors((64, 64), [(2, 2)]) * 64, want, rtol=1e-6)


def test_pyramid_level_that_does_not_divide_the_image_starts_at_the_corner():
    anchors = PyramidAnchors(5, 5, 4.0, (1.0,), 1)
    # 65 = 2 * 32 + 1: centers at 0, 32, 64 instead of 16, 48, ...
    got = anchors((65, 64), [(3, 2)]) * [65, 64, 65, 64]
    assert_allclose(got[:, 0] + 64, [0, 0, 32, 32, 64, 64], atol=1e-4)
    assert_allclose(got[:, 1] + 64, [16, 48] * 3, atol=1e-4)


def test_pyramid_sizes_step_by_octave_within_an_aspect_ratio():
    anchors = PyramidAnchors(3, 3, 2.0, (1.0, 4.0), 2)
    got = anchors((8, 8), [(1, 1)]) * 8
    height, width = (got[:, i + 2] - got[:, i] for i in (0, 1))
    assert_allclose(height, [16, 16 * 2**0.5, 8, 8 * 2**0.5], rtol=1e-6)
    assert_allclose(width, [16, 16 * 2**0.5, 32, 32 * 2**0.5], rtol=1e-6)


SSD_GRIDS = [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]
RATIOS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)


# Numbers of anchors from multiple_grid_anchor_generator_test.py.
@pytest.mark.parametrize(("reduce", "number"), [(True, 7308), (False, 11640)])
def test_ssd_anchors_count(reduce, number):
    anchors = SsdAnchors.spaced(
        6, 0.2, 0.95, aspect_ratios=RATIOS, reduce_lowest=reduce
    )
    assert anchors.per_location == ((3 if reduce else 6), 6, 6, 6, 6, 6)
    assert anchors((300, 300), SSD_GRIDS).shape == (number, 4)


def test_ssd_lowest_level_has_three_anchors():
    got = SsdAnchors.spaced(2, 0.2, 0.8, aspect_ratios=(1.0,))(
        (300, 300), [(1, 1), (1, 1)]
    )
    height, width = (got[:, i + 2] - got[:, i] for i in (0, 1))
    root = 2**0.5
    # The last anchor lies between 0.8 and the next scale, which is 1.
    assert_allclose(height, [0.1, 0.2 / root, 0.2 * root, 0.8, 0.8**0.5], rtol=1e-6)
    assert_allclose(width, [0.1, 0.2 * root, 0.2 / root, 0.8, 0.8**0.5], rtol=1e-6)
    assert_allclose((got[:, 0] + got[:, 2]) / 2, 0.5, atol=1e-6)


def test_ssd_anchors_are_square_in_an_image_that_is_not():
    got = SsdAnchors((0.5,), (1.0,), reduce_lowest=False)((100, 200), [(1, 1)])
    height, width = ((got[:, i + 2] - got[:, i]) * s for i, s in ((0, 100), (1, 200)))
    assert_allclose(height, [50, 100 * 0.5**0.5], rtol=1e-6)
    assert_allclose(width, height, rtol=1e-6)


def test_ssd_strides_and_offsets_are_in_pixels():
    anchors = SsdAnchors(
        (0.1,), (1.0,), interpolated_aspect_ratio=0.0, reduce_lowest=False,
        strides=((16, 32),), offsets=((4, 8),),
    )  # fmt: skip
    got = anchors((100, 100), [(2, 2)])
    centers = (got[:, :2] + got[:, 2:]) / 2
    assert_allclose(centers, [[0.04, 0.08], [0.04, 0.4], [0.2, 0.08], [0.2, 0.4]])


def test_single_layer_uses_the_lowest_scale():
    assert SsdAnchors.spaced(1, 0.2, 0.95).scales == (0.2,)


def test_flexible_anchors_pair_sizes_and_ratios():
    anchors = FlexibleGridAnchors(
        (
            FlexibleGrid((32.0, 64.0), (1.0, 4.0), (8, 8), (4, 4)),
            FlexibleGrid((128.0,), (1.0,), (32, 32)),
        )
    )
    assert anchors.per_location == (2, 1)
    got = anchors((100, 100), [(1, 1), (1, 2)]) * 100
    assert_allclose(
        got,
        [
            [-12, -12, 20, 20],
            [-12, -60, 20, 68],
            [-64, -64, 64, 64],
            [-64, -32, 64, 96],
        ],
        atol=1e-4,
    )


BAD = {
    "scales is empty": lambda: GridAnchors(scales=()),
    "aspect_ratios must be above 0": lambda: PyramidAnchors(aspect_ratios=(1.0, 0.0)),
    "min_level <= max_level": lambda: PyramidAnchors(min_level=6, max_level=5),
    "scales_per_octave must be at least 1": lambda: PyramidAnchors(scales_per_octave=0),
    "num_layers must be at least 1": lambda: SsdAnchors.spaced(0, 0.2, 0.9),
    "a level has no anchors": lambda: SsdAnchors(
        (0.1, 0.2), (), interpolated_aspect_ratio=0.0
    ),
    "one pair per level .2 levels": lambda: SsdAnchors((0.1, 0.2), strides=((8, 8),)),
    "one entry per anchor": lambda: FlexibleGrid((1.0,), (1.0, 2.0), (8, 8)),
    "anchor_grid is empty": lambda: FlexibleGridAnchors(()),
}


@pytest.mark.parametrize("message", BAD)
def test_invalid_anchor_settings_are_rejected(message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        BAD[message]()


def test_wrong_number_of_feature_maps_is_rejected():
    with pytest.raises(ValueError, match="is for 5 feature map"):
        PyramidAnchors()((64, 64), [(8, 8)])


GOLDEN = {
    "ssd_mobilenet_v2_320x320": (
        SsdAnchors.spaced(6, 0.2, 0.95, aspect_ratios=(1.0, 2.0, 0.5, 3.0, 0.3333)),
        (300, 300),
        [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)],
    ),
    "ssd_mobilenet_v2_fpnlite_320x320": (
        PyramidAnchors(),
        (320, 320),
        [(40, 40), (20, 20), (10, 10), (5, 5), (3, 3)],
    ),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", GOLDEN)
def test_anchors_of_the_original(shared, name):
    anchors, size, grids = GOLDEN[name]
    with np.load(shared / "golden" / "outputs" / f"{name}.npz") as golden:
        want = golden["anchors"]
        tensor = json.loads(str(golden["meta"]))["tensors"]["anchors"]
    got = anchors(size, grids)
    assert list(got.shape) == tensor["shape"]
    assert tensor["step"] == 1
    assert_allclose(got.reshape(-1), want.reshape(-1), atol=2e-7)
