"""Best IoU of anchors, clusters of box shapes, boxes in resized pixels."""

import numpy as np
import pytest

import tiny_data
from odapi.data.anchor_recall import (
    Border,
    anchor_levels,
    best_ious,
    by_aspect,
    by_size,
)
from odapi.data.box_clusters import (
    cluster_aspects,
    cluster_shapes,
    cluster_sizes,
    shape_ious,
)
from odapi.data.image.resize import FixedShape, KeepAspectRatio
from odapi.data.resized_boxes import read_resized_boxes
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.targets.anchors import PyramidAnchors, SsdAnchors

# One level of stride 8: squares of 32 pixels, centers at 4, 12, 20 ... 60.
ONE = PyramidAnchors(3, 3, scale=4.0, aspect_ratios=(1.0,), scales_per_octave=1)
SIZE, GRIDS = (64, 64), [(8, 8)]


def levels(generator=ONE, size=SIZE, grids=GRIDS):
    return anchor_levels(generator(size, grids), size, grids, generator.per_location)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((4, 4, 36, 36), 1.0),  # An anchor: its center is (20, 20).
        ((12, 12, 28, 28), 256 / 1024),
        ((8, 8, 40, 40), 784 / (2048 - 784)),  # Between four centers.
        ((20, 20, 20, 20), 0.0),  # No area.
        ((0, 0, 64, 64), 1024 / 4096),
        ((19, 19, 20, 20), 1 / 1024),  # One pixel.
    ],
)
def test_best_iou_of_a_box(box, expected):
    assert best_ious(np.array([box]), levels()) == pytest.approx([expected])


def test_no_boxes_have_no_ious():
    assert best_ious(np.zeros((0, 4)), levels()).shape == (0,)


def test_empty_grids_have_no_anchors():
    generator = PyramidAnchors(3, 4, aspect_ratios=(1.0,), scales_per_octave=1)
    found = levels(generator, SIZE, [(0, 0), (4, 4)])
    assert [len(level.rows) for level in found] == [4]


def test_anchors_that_cross_the_border_are_left_out():
    # The anchor at (4, 4) covers -12 to 20; the first one inside is 4 to 36.
    box = np.array([[0.0, 0.0, 20.0, 20.0]])
    assert best_ious(box, levels()) == pytest.approx([400 / 1024])
    shared = 16 * 16
    expected = shared / (400 + 1024 - shared)
    assert best_ious(box, levels(), SIZE, Border.DROPPED) == pytest.approx([expected])
    # Clipped, that at (4, 4) is the box.
    assert best_ious(box, levels(), SIZE, Border.CLIPPED) == pytest.approx([1.0])


@pytest.mark.parametrize("border", [Border.CROSSED, Border.CLIPPED])
@pytest.mark.parametrize(
    "generator",
    [
        PyramidAnchors(3, 5, 3.0, (0.5, 1.0, 2.0), 2),
        SsdAnchors.spaced(3, 0.1, 0.9),
    ],
)
def test_nearest_anchors_are_the_best_of_all(generator, border):
    grids = [(12, 8), (6, 4), (3, 2)]
    size = (96, 64)
    anchors = generator(size, grids).astype(float)
    if border is Border.CLIPPED:
        anchors = anchors.clip(0, 1)
    anchors = anchors * np.tile(size, 2)
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 60, (50, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 40, (50, 2))], 1)
    boxes = boxes.clip(0, np.tile(size, 2))
    shared = np.maximum(
        np.minimum(boxes[:, None, 2:], anchors[None, :, 2:])
        - np.maximum(boxes[:, None, :2], anchors[None, :, :2]),
        0,
    ).prod(-1)
    areas = [(b[:, 2:] - b[:, :2]).prod(1) for b in (boxes, anchors)]
    every = shared / (areas[0][:, None] + areas[1][None] - shared)
    found = best_ious(boxes, levels(generator, size, grids), size, border)
    # Clipped anchors near two borders are approximated from below.
    below = 1e-5 if border is Border.CROSSED else 0.02
    assert (found <= every.max(1) + 1e-5).all()
    assert (found >= every.max(1) - below).all()


def test_bins():
    boxes = np.array([[0, 0, 8, 8], [0, 0, 7, 7], [0, 0, 100, 400], [0, 0, 40, 10]])
    bins, names = by_size(boxes)
    assert [names[i] for i in bins] == ["8-16", "below 8", "128-256", "16-32"]
    bins, names = by_aspect(boxes)
    assert [names[i] for i in bins] == ["4:5-5:4", "4:5-5:4", "above 3:1", "below 1:3"]


def test_ious_of_shapes():
    shapes, centers = np.array([[10.0, 10.0], [10.0, 20.0]]), np.array([[10.0, 10.0]])
    assert shape_ious(shapes, centers).tolist() == [[1.0], [0.5]]


def test_clusters_find_the_shapes_that_there_are():
    shapes = np.array([[10, 20]] * 30 + [[40, 40]] * 20 + [[100, 50]] * 10, float)
    expected = [[10, 20], [40, 40], [100, 50]]
    np.testing.assert_allclose(cluster_shapes(shapes, 3), expected)
    np.testing.assert_allclose(cluster_aspects(shapes, 3), [0.5, 1, 2])
    sides = [200**0.5, 40, 5000**0.5]
    np.testing.assert_allclose(cluster_sizes(shapes, 3), sides)


def test_clusters_are_the_same_for_a_seed():
    shapes = np.random.default_rng(1).uniform(5, 100, (200, 2))
    first = cluster_shapes(shapes, 5, seed=3)
    np.testing.assert_array_equal(first, cluster_shapes(shapes, 5, seed=3))


def test_more_clusters_than_shapes():
    shapes = np.array([[10.0, 20.0]])
    np.testing.assert_allclose(cluster_shapes(shapes, 3), [[10, 20]] * 3)
    with pytest.raises(ValueError, match="0 shapes"):
        cluster_shapes(np.zeros((0, 2)), 3)


def test_boxes_in_resized_pixels(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path))
    # a is 40 x 60, b is 60 x 40; the cat is 20 x 30 pixels at [10, 6].
    found = read_resized_boxes(source, FixedShape(80, 80))
    expected = [[20, 8, 60, 48], [0, 40, 40, 80], [20, 20, 60, 60]]
    np.testing.assert_allclose(found.boxes, expected, atol=1e-5)
    assert found.sizes.tolist() == [[80, 80]] * 3
    assert (found.images, found.unusable) == (3, 0)
    padded = KeepAspectRatio(min_dimension=80, max_dimension=120, pad_to_max=True)
    found = read_resized_boxes(source, padded)
    np.testing.assert_allclose(found.boxes[0], [20, 12, 60, 72], atol=1e-5)
    assert found.sizes.tolist() == [[120, 120]] * 3
    varied = read_resized_boxes(source, KeepAspectRatio(80, 120))
    sizes = [(size, rows.tolist()) for size, rows in varied.groups()]
    assert sizes == [((80, 120), [0, 1]), ((120, 80), [2])]
    assert len(varied.thinned(10, 1)) == 2


def test_a_dataset_without_objects_is_refused(tmp_path):
    spec = tiny_data.write_coco(tmp_path, lambda c: c.update(annotations=[]))
    with pytest.raises(DataError, match="has no objects"):
        read_resized_boxes(open_source(spec), FixedShape(80, 80))
