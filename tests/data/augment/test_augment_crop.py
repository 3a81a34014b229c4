"""Crops: the windows that may be drawn, and the objects that are kept."""

import numpy as np
import pytest
from scene import scene

from odapi.data.augment.crop import CropImage, SsdRandomCrop
from odapi.data.augment.transforms import covered_share
from odapi.data.image.lazy import rendered
from requirement import require

SIZE = (60, 100)


def windows_of(crop, boxes=None, number=300):
    boxes = scene()["boxes"] if boxes is None else np.float32(boxes).reshape(-1, 4)
    rng = np.random.default_rng(0)
    return np.array([crop.draw(SIZE, boxes, rng) for _ in range(number)])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_windows_cover_enough_of_one_object(share):
    top, left, height, width = windows_of(CropImage(share, (0.5, 2.0))).T
    boxes = scene()["boxes"] * np.array([*SIZE, *SIZE])
    edges = np.stack([top, left, top + height, left + width], axis=1).astype(float)
    covered = covered_share(boxes[None].astype(float), edges).max(axis=1)
    assert (covered >= share - 1e-6).all()
    assert len(set(map(tuple, edges))) > 50


@pytest.mark.parametrize(
    ("ratio", "area"),
    [((0.5, 2.0), (0.1, 1.0)), ((1.0, 1.0), (0.2, 0.3)), ((0.75, 1.33), (0.0, 0.05))],
)
def test_windows_have_the_allowed_shape_and_lie_within_the_picture(ratio, area):
    top, left, height, width = windows_of(CropImage(0.0, ratio, area)).T
    # Rounding to pixels changes the ratio by half a pixel of the width.
    assert (width >= ratio[0] * height - 0.51).all()
    assert (width <= ratio[1] * height + 0.51).all()
    share = height * width / (SIZE[0] * SIZE[1])
    assert (share >= area[0]).all()
    assert (share <= area[1]).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= SIZE[0]).all()
    assert (left + width <= SIZE[1]).all()
    # First and last place are both drawn.
    assert (top + height == SIZE[0]).any()
    assert (left == 0).any()


@pytest.mark.parametrize(
    ("crop", "boxes"),
    [
        (CropImage(1.0, (3.0, 4.0), (0.9, 1.0)), None),  # No such shape fits.
        (CropImage(1.0, (0.9, 1.1)), []),  # An image without objects is the object.
        (CropImage(0.5), [[0.5, 0.5, 0.505, 0.505]]),  # Less than a pixel.
    ],
)
def test_the_picture_stays_whole_where_no_window_fits(crop, boxes):
    assert set(map(tuple, windows_of(crop, boxes, 5))) == {(0, 0, *SIZE)}


def test_windows_are_drawn_as_tensorflow_draws_them():
    tf = require("tensorflow")
    boxes = scene()["boxes"]
    crop = CropImage(0.3, (0.5, 2.0), (0.1, 1.0))
    tf.random.set_seed(1)
    theirs = []
    for _ in range(600):
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            [*SIZE, 3],
            boxes[None],
            min_object_covered=0.3,
            aspect_ratio_range=(0.5, 2.0),
            area_range=(0.1, 1.0),
            max_attempts=100,
        )
        theirs.append([*begin.numpy()[:2], *size.numpy()[:2]])
    ours = windows_of(crop, number=3000)
    theirs = np.array(theirs)
    # Means and spreads agree within four standard errors.
    error = theirs.std(axis=0) / np.sqrt(len(theirs))
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4 * error + 0.5).all()
    assert np.abs(ours.std(axis=0) / theirs.std(axis=0) - 1).max() < 0.15


class Fixed(CropImage):
    """Crops to the left half of the image."""

    def draw(self, size, boxes, rng):
        return (
            super()
            .draw(size, boxes, rng)
            ._replace(top=0, left=0, height=size[0], width=size[1] // 2)
        )


def left_half(**kwargs):
    sample = {
        "image": np.zeros((10, 20, 3), "uint8"),
        "boxes": np.float32(
            [[0, 0, 1, 0.5], [0, 0.4, 1, 0.6], [0, 0.45, 1, 0.95], [0, 0.6, 1, 0.7]]
        ),
        "classes": np.arange(4, dtype="int32"),
    }
    return Fixed(**kwargs)(sample, np.random.default_rng(0))


@pytest.mark.parametrize(
    # In the window lie 100, 50, 10 and 0 percent.
    ("thresh", "kept"),
    [(0.0, [0, 1, 2]), (0.09, [0, 1, 2]), (0.3, [0, 1]), (0.6, [0]), (1.0, [0])],
)
def test_objects_are_kept_that_overlap_the_window_enough(thresh, kept):
    assert left_half(overlap_thresh=thresh)["classes"].tolist() == kept


def test_kept_boxes_are_clipped_or_not():
    np.testing.assert_allclose(
        left_half()["boxes"], [[0, 0, 1, 1], [0, 0.8, 1, 1]], atol=1e-6
    )
    np.testing.assert_allclose(
        left_half(clip_boxes=False)["boxes"],
        [[0, 0, 1, 1], [0, 0.8, 1, 1.2]],
        atol=1e-6,
    )


@pytest.mark.parametrize(("coef", "share"), [(0.0, 0.0), (0.4, 0.4), (1.0, 1.0)])
def test_random_coef_is_the_share_of_whole_pictures(coef, share):
    crop = CropImage(0.0, (0.5, 2.0), (0.1, 0.5), 0.0, random_coef=coef)
    rng = np.random.default_rng(0)
    sizes = [crop(scene(), rng)["image"].shape[:2] for _ in range(400)]
    assert abs(np.mean([size == SIZE for size in sizes]) - share) < 0.08


def test_ssd_random_crop_draws_from_all_operations():
    class Named(CropImage):
        def __call__(self, sample, rng):
            return self.min_object_covered

    crop = SsdRandomCrop(tuple(Named(share) for share in (0.1, 0.2, 0.3)))
    rng = np.random.default_rng(0)
    assert {crop(scene(), rng) for _ in range(50)} == {0.1, 0.2, 0.3}


def test_ssd_random_crop_has_the_original_operations():
    operations = SsdRandomCrop().operations
    assert [o.min_object_covered for o in operations] == [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1]
    assert [o.overlap_thresh for o in operations] == [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1]
    assert {o.aspect_ratio for o in operations} == {(0.5, 2.0)}
    assert {o.area for o in operations} == {(0.1, 1.0)}
    assert {o.random_coef for o in operations} == {0.15}
    assert all(o.clip_boxes for o in operations)


def test_cropping_twice_with_the_same_seed_is_the_same():
    made = [
        rendered(SsdRandomCrop()(scene(), np.random.default_rng(3))) for _ in range(2)
    ]
    np.testing.assert_array_equal(made[0]["image"], made[1]["image"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(min_object_covered=1.1), "min_object_covered must be in 0..1"),
        (dict(aspect_ratio=(0.0, 1.0)), "0 < min_aspect_ratio <= max_aspect_ratio"),
        (dict(aspect_ratio=(2.0, 1.0)), "0 < min_aspect_ratio <= max_aspect_ratio"),
        (dict(area=(0.0, 0.0)), "0 <= min_area <= max_area <= 1"),
        (dict(area=(0.5, 1.5)), "0 <= min_area <= max_area <= 1"),
        (dict(random_coef=-0.1), "random_coef must be in 0..1"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CropImage(**arguments)


def test_ssd_random_crop_without_operations_is_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        SsdRandomCrop(())
