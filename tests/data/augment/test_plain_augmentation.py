"""Augmentations of users: plain arrays in, checked samples out."""

import re

import numpy as np
import pytest

from odapi.data.augment.augmentation import PlainAugmentation, as_augmentation
from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.normalize import NormalizeImage
from odapi.data.image.lazy import LazyImage
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.sample_checks import InvalidSampleError
from odapi.data.sources.sequence import SequenceSource
from odapi.errors import DataError

RNG = np.random.default_rng(0)


def sample(**changes):
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    return {
        "image": image,
        "image_id": "a",
        "boxes": np.array([[0, 0, 1, 0.5], [0.5, 0, 1, 1]], np.float32),
        "classes": np.array([0, 1], np.int32),
        **changes,
    }


def identity(sample, rng):
    return sample


def test_recorded_changes_are_carried_out_before_the_function():
    seen = []

    def look(sample, rng):
        seen.append(sample)
        return sample

    flipped = HorizontalFlip(1.0)(sample(), RNG)
    assert isinstance(flipped["image"], LazyImage)
    result = PlainAugmentation(look)(flipped, RNG)
    expected = sample()["image"][:, ::-1]
    np.testing.assert_array_equal(seen[0]["image"], expected)
    np.testing.assert_array_equal(result["image"], expected)


def test_masks_are_arrays_of_the_changed_image():
    mask = np.zeros((4, 6), np.uint8)
    mask[:, 0] = 1
    lazy = LazyMasks((lambda: mask, None), (4, 6))
    flipped = HorizontalFlip(1.0)(sample(masks=lazy), RNG)
    masks = PlainAugmentation(identity)(flipped, RNG)["masks"]
    assert type(masks) is np.ndarray
    assert masks.sum(axis=(1, 2)).tolist() == [4, 0]
    assert masks[0, :, 5].all()


def test_arrays_that_are_shared_may_be_changed_in_place():
    given = sample()
    given["image"].flags.writeable = False
    before = given["image"].copy()

    def blacken(sample, rng):
        sample["image"][...] = 0
        return sample

    assert not PlainAugmentation(blacken)(given, RNG)["image"].any()
    np.testing.assert_array_equal(given["image"], before)


def test_the_function_draws_from_the_generator_of_the_position():
    def shift(sample, rng):
        return sample | {"boxes": sample["boxes"] * rng.uniform(0.5, 1)}

    augmentation = PlainAugmentation(shift)
    first = augmentation(sample(), np.random.default_rng(3))["boxes"]
    again = augmentation(sample(), np.random.default_rng(3))["boxes"]
    other = augmentation(sample(), np.random.default_rng(4))["boxes"]
    assert (first == again).all()
    assert (first != other).any()


def test_common_types_are_converted():
    def change(sample, rng):
        return sample | {"boxes": [[0.0, 0.0, 1.0, 1.0]], "classes": np.array([1])}

    changed = PlainAugmentation(change)(sample(), RNG)
    assert changed["boxes"].dtype == np.float32
    assert changed["classes"].dtype == np.int32


def test_no_object_is_left():
    def drop(sample, rng):
        return sample | {"boxes": [], "classes": []}

    changed = PlainAugmentation(drop)(sample(), RNG)
    assert changed["boxes"].shape == (0, 4)
    assert changed["classes"].shape == (0,)


NAN_BOX = np.array([[0, 0, np.nan, 1], [0, 0, 1, 1]])


@pytest.mark.parametrize(
    "change, key, message",
    [
        ({"image": np.zeros((4, 6, 3))}, "image", "must be uint8 in 0..255, got"),
        ({"image": np.zeros((4, 6), np.uint8)}, "image", r"must be [height, width, 3]"),
        ({"image": np.zeros((0, 6, 3), np.uint8)}, "image", "got [0, 6, 3]"),
        ({"boxes": NAN_BOX}, "boxes", "must be finite"),
        ({"boxes": np.ones((2, 5))}, "boxes", "one row per box, [2, 4], got [2, 5]"),
        ({"boxes": np.array([[0, 1, 1, 0.5]] * 2)}, "boxes", "min <= max, got [0.0,"),
        ({"boxes": np.array([[0, 0, 100, 200]] * 2)}, "boxes", "normalized to 0..1"),
        ({"classes": np.array([0, 1, 1])}, "classes", "[2], got [3]"),
        ({"classes": np.array([0.0, 1.0])}, "classes", "must be integers (int32)"),
        ({"classes": np.array([-1, 1])}, "classes", "must count from 0, got -1"),
        ({"is_crowd": np.array([0.5, 1])}, "is_crowd", "must be booleans"),
        ({"masks": np.ones((2, 4, 5), np.uint8)}, "masks", "got [2, 4, 5]"),
        ({"masks": np.full((2, 4, 6), 255, np.uint8)}, "masks", "must be 0 or 1"),
        ({"keypoints": np.full((2, 3, 2), np.inf)}, "keypoints", "must be finite"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_the_function_and_the_key(change, key, message):
    def broken(sample, rng):
        return sample | change

    with pytest.raises(InvalidSampleError, match=re.escape(message)) as caught:
        PlainAugmentation(broken)(sample(), RNG)
    assert "broken, image 'a'" in caught.value.place
    assert caught.value.place.endswith(f"[{key!r}]")


def _raise(sample, rng):
    raise KeyError("x")


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda sample, rng: None, "returned None"),
        (lambda sample, rng: [], "must be a dict, got list"),
        (lambda sample, rng: {"image": sample["image"]}, "has no 'boxes'"),
        (lambda sample, rng: sample | {"bboxes": 1}, "'bboxes'(.*\n)+.*mean 'boxes'"),
        (
            lambda sample, rng: {k: v for k, v in sample.items() if k != "image_id"},
            "removed 'image_id'",
        ),
        (_raise, "_raise, image 'a': raised KeyError: 'x'"),
    ],
)
def test_what_is_no_sample(function, message):
    with pytest.raises(DataError, match=message):
        PlainAugmentation(function)(sample(), RNG)


def test_nan_keypoints_are_unlabeled():
    points = np.full((2, 3, 2), np.nan)
    kept = PlainAugmentation(identity)(sample(keypoints=points), RNG)
    assert np.isnan(kept["keypoints"]).all()


def test_only_functions_of_users_are_wrapped():
    flip = HorizontalFlip()
    assert as_augmentation(flip) is flip
    assert as_augmentation(identity) == PlainAugmentation(identity)
    with pytest.raises(TypeError, match=r"\(sample, rng\) -> sample, got 3"):
        as_augmentation(3)


def blue(sample, rng):
    return sample | {"image": np.full((8, 8, 3), (0, 0, 255), np.uint8)}


def test_float_images_name_the_steps_that_make_them():
    normalized = NormalizeImage((0, 255))(sample(), RNG)
    with pytest.raises(InvalidSampleError, match="remove normalize_image"):
        PlainAugmentation(blue)(normalized, RNG)


def short(sample, rng):
    return sample | {"classes": sample["classes"][:1]}


@pytest.mark.parametrize("processes", [0, 1])
def test_in_a_pipeline(processes):
    source = SequenceSource([sample(), sample()], ["a", "b"])
    steps = (HorizontalFlip(1.0), PlainAugmentation(blue))
    with Pipeline(
        source, FixedShape(4, 4), Collate(2, 3), Order(), steps, processes=processes
    ) as pipeline:
        batch = next(pipeline)
    assert (batch.images == (0, 0, 255)).all()
    assert batch.groundtruth.boxes[0, 0].tolist() == [0, 0.5, 1, 1]


@pytest.mark.parametrize("processes", [0, 1])
def test_a_mistake_stops_the_pipeline_instead_of_skipping_images(processes):
    source = SequenceSource([sample(), sample()], ["a", "b"])
    steps = (PlainAugmentation(short),)
    with (
        Pipeline(
            source, FixedShape(4, 4), Collate(2, 3), Order(), steps, processes=processes
        ) as pipeline,
        pytest.raises(DataError, match=r"augmentation short.*\['classes'\]"),
    ):
        next(pipeline)
    assert not source.problems
