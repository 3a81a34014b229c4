"""Placement of four images around a corner, with fixed random numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from partner_samples import Draws, boxes_px, partners_of, plain

from odapi.data.augment.mosaic import Mosaic
from odapi.data.image.lazy import rendered

GRAY = 114


def mosaic(samples, draws, step=Mosaic(), size=None):  # noqa: B008
    rng = Draws(0.0, np.array(draws))
    return step(samples[0], rng, partners_of(*samples[1:], size=size))


def four():
    return [
        plain(
            "first", 10, (40, 80),
            (30, 50, 38, 70),  # Whole.
            (10, 40, 30, 60),  # Half of it.
            (10, 40, 25, 60),  # A third of it.
            (10, 40, 24, 60),  # 4 of 14 rows: below 0.3.
            (0, 0, 20, 40),  # Outside.
        ),
        plain("half", 20, (40, 80), (10, 20, 30, 60)),
        plain("larger", 30, (20, 40), (2, 20, 12, 30)),
        plain("tall", 40, (100, 50), (0, 0, 10, 10), (90, 0, 100, 10)),
    ]  # fmt: skip


# Corner in the middle; factors 1, 0.5, 1.5 and 1.
MIDDLE = [0.5, 0.5, 0.5, 0.0, 1.0, 0.5]


def test_each_image_fills_its_quarter_from_the_corner():
    made = rendered(mosaic(four(), MIDDLE))
    image = made["image"][..., 0]
    assert image.shape == (40, 80)
    assert (image[:20, :40] == 10).all() and (image[:20, 40:] == 20).all()
    assert (image[20:, :40] == 30).all() and (image[20:, 40:] == 40).all()
    assert made["image_id"] == "first"


def test_objects_move_with_their_images():
    made = mosaic(four(), MIDDLE)
    assert made["classes"].tolist() == [10, 10, 10, 20, 30, 40]
    # Of the third image rows 0 to 13 and columns 13 to 40 are shown, on 20 x 40 pixels.
    y, x = 20 / 13, 40 / 27
    assert_allclose(
        boxes_px(made),
        [
            [10, 10, 18, 30],
            [0, 0, 10, 20],
            [0, 0, 5, 20],
            [5, 50, 15, 70],
            [20 + 2 * y, 7 * x, 20 + 12 * y, 17 * x],
            [20, 40, 30, 50],
        ],
        atol=1e-4,
    )


def test_masks_are_those_of_the_boxes():
    made = rendered(mosaic(four(), MIDDLE))
    for box, mask in zip(boxes_px(made), made["masks"], strict=True):
        rows, columns = np.nonzero(mask)
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert_allclose(edges, box, atol=1)


def test_where_no_image_reaches_it_is_gray():
    samples = [plain("a", color, (40, 80)) for color in (1, 2, 3, 4)]
    image = rendered(mosaic(samples, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))["image"][..., 0]
    # The corner is at (30, 20); each image has 20 x 40 pixels.
    assert (image[10:30, :20] == 1).all() and (image[:10] == GRAY).all()
    assert (image[10:30, 20:60] == 2).all() and (image[:, 60:] == GRAY).all()
    assert (image[30:, :20] == 3).all() and (image[30:, 20:60] == 4).all()


def test_images_are_rendered_at_the_size_of_the_resizer():
    samples = [plain("a", c, (50, 50), (0, 0, 50, 50)) for c in (1, 2, 3, 4)]
    half = Mosaic(1.0, 0.5, 0.5)
    made = mosaic(samples, [0.5] * 6, half, size=(16, 32))
    assert rendered(made)["image"].shape == (16, 32, 3)
    assert_allclose(
        boxes_px(made),
        [[0, 0, 8, 16], [0, 16, 8, 32], [8, 0, 16, 16], [8, 16, 16, 32]],
        atol=1e-5,
    )


def test_a_probability_of_0_never_draws_partners():
    sample = plain("a", 1, (4, 4))
    rng = np.random.default_rng(0)
    assert Mosaic(0.0)(sample, rng, partners_of(None)) is sample


def test_images_without_objects_make_a_mosaic_without_objects():
    samples = [plain("a", c, (8, 8)) for c in (1, 2, 3, 4)]
    made = rendered(mosaic(samples, MIDDLE))
    assert made["boxes"].shape == (0, 4)
    assert made["masks"].shape == (0, 8, 8)


def test_padding_of_an_earlier_step_is_kept():
    from odapi.data.augment.transforms import Window, move_to

    padded = move_to(plain("a", 1, (8, 8)), Window(0, 0, 8, 16), (200, 200, 200))
    made = mosaic([padded, *four()[1:]], [0.5, 0.5, 0.0, 0.0, 0.0, 0.0])
    # 8 x 16 at half of its size ends at the corner (4, 8).
    image = rendered(made)["image"][..., 0]
    assert image[:4, :8].tolist() == [[1] * 4 + [200] * 4] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2.0,), "probability must be in 0..1"),
        ((1.0, 0.0), "0 < min_scale"),
        ((1.0, 2.0, 1.0), "got 2.0 and 1.0"),
        ((1.0, 1.0, 1.0, -1.0), "overlap_thresh"),
    ],
)
def test_values_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mosaic(*arguments)
