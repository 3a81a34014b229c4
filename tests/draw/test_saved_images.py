"""Mosaics, side by side images and plots."""

import numpy as np
import pytest

from odapi.draw.colors import color_of
from odapi.draw.mosaic import mosaic
from odapi.draw.plots import Line, plot, precision_recall_plot
from odapi.draw.side_by_side import beside, side_by_side
from odapi.labels import label_map_of


def image(height, width, value=100):
    return np.full((height, width, 3), value, np.uint8)


def test_mosaic_shows_every_image_whole():
    values = [10, 60, 110, 160, 210]
    images = [image(40, 60 + 10 * n, v) for n, v in enumerate(values)]
    drawn = mosaic(images, columns=3, cell=80, gap=4)
    # Two rows; cells are as wide as the widest image and as high as the highest.
    assert drawn.shape == (4 + 2 * (53 + 4), 4 + 3 * (80 + 4), 3)
    for value in values:
        assert (drawn == value).all(axis=-1).sum() > 1500


def test_mosaic_has_a_line_for_captions():
    plain = mosaic([image(40, 60)] * 2, columns=2)
    named = mosaic([image(40, 60)] * 2, ["a.jpg", "b.jpg"], columns=2)
    assert named.shape[0] > plain.shape[0]
    assert named.shape[1] == plain.shape[1]


def test_mosaic_takes_grey_and_tiny_images():
    assert mosaic([np.zeros((1, 1), np.uint8), image(2, 900)]).ndim == 3


@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_mosaic_is_a_little_wider_than_high(number):
    height, width, _ = mosaic([image(50, 50)] * number, cell=50).shape
    assert 0.5 <= width / height <= 3 or number <= 2


def test_mosaic_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match="needs at least one image"):
        mosaic([])
    with pytest.raises(ValueError, match="1 caption for 2 images"):
        mosaic([image(4, 4)] * 2, ["a"])


def test_side_by_side_has_detections_left_and_groundtruth_right():
    truth = {"boxes": [[0.1, 0.1, 0.4, 0.4]], "classes": [1]}
    found = {"boxes": [[0.5, 0.5, 0.9, 0.9]] * 2, "classes": [0, 0]}
    found["scores"] = [0.9, 0.2]
    drawn = side_by_side(
        image(480, 640), found, truth, label_map_of(["cat", "dog"]), title="x.jpg"
    )
    left, right = drawn[:, :640], drawn[:, -640:]
    assert (left == color_of(0)).all(axis=-1).any()
    assert not (left == color_of(1)).all(axis=-1).any()
    assert (right == color_of(1)).all(axis=-1).any()
    assert not (right == color_of(0)).all(axis=-1).any()
    assert drawn.shape[0] > 480


def test_side_by_side_of_a_tiny_image_without_objects():
    nothing = {"boxes": np.zeros((0, 4)), "classes": [], "scores": []}
    assert side_by_side(image(8, 8), nothing, nothing).shape[1] > 900


def test_beside_puts_captions_above():
    drawn = beside([image(50, 80), image(50, 80)], ["one", "two"])
    assert drawn.shape[1] == 80 + 80 + 4


def test_plot_draws_each_line_in_its_color():
    lines = [Line("a", [0, 1, 2], [0, 1, 4]), Line("b", [0, 1, 2], [4, 1, 0])]
    drawn = plot(lines, title="title", x_label="x", y_label="y")
    assert drawn.shape == (540, 860, 3)
    for n in range(2):
        assert (drawn == color_of(n)).all(axis=-1).sum() > 100


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([], []),
        ([1], [5]),
        ([0, 1], [3, 3]),
        ([0, 1, 2], [np.nan, np.nan, np.nan]),
        ([0, 1, 2, 3], [1, np.nan, np.inf, 2]),
        ([0, 1], [1e30, -1e30]),
        ([0, 1e-9], [1e-12, 2e-12]),
    ],
)
def test_plot_holds_at_the_edges(x, y):
    assert plot([Line("a", x, y), Line("b", x, y)]).shape == (540, 860, 3)


def test_plot_of_more_lines_than_fit_says_so():
    lines = [Line(f"line {n}", [0, 1], [0, n]) for n in range(100)]
    assert plot(lines, size=(300, 500)).shape == (300, 500, 3)


def test_precision_recall_has_the_colors_of_the_boxes():
    recalls = np.linspace(0, 1, 101)
    curves = {"cat": np.ones(101), "dog": 0.5 * np.ones(101)}
    average = {"cat": 1.0, "dog": 0.5}
    drawn = precision_recall_plot(curves, average, recalls, {"cat": 4, "dog": 7})
    for n in (4, 7):
        assert (drawn == color_of(n)).all(axis=-1).sum() > 100
    one = precision_recall_plot({"cat": curves["cat"]}, average, recalls)
    assert one.shape == drawn.shape


def test_dots_are_drawn_where_values_are():
    y = [0.0, np.nan, 1.0]
    line = Line("a", [0, 1, 2], y, (255, 0, 0), dots=True)
    dots = plot([line], x_range=(-1, 3), y_range=(-1, 2))
    red = (dots == (255, 0, 0)).all(axis=-1)
    assert red.sum() > 100  # Two circles of radius 5 without their smooth edges.
    columns = np.flatnonzero(red.any(axis=0))
    assert np.count_nonzero(np.diff(columns) > 1) == 1  # Apart: nothing joins them.
