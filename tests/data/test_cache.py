"""Samples that stay in memory: which, how many, and that nobody changes them."""

import numpy as np
import pytest

from odapi.data.augment.color import AdjustBrightness
from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.square import ScaleCropPadToSquare
from odapi.data.image.resize import FixedShape
from odapi.data.loader.cache import SampleCache
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.problems import Problems
from odapi.errors import DataError
from odapi.labels import label_map_of

BYTES = 10 * 20 * 3 + 16  # Of a sample: the image and one box.


class Counted:
    """A source of images of one size that counts how often it is read."""

    def __init__(self, count, bad=()):
        self.name, self.label_map = "counted", label_map_of(["a"])
        self.problems, self.bad = Problems(), bad
        self.reads = [0] * count

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, index):
        self.reads[index] += 1
        if index in self.bad:
            raise DataError(f"image {index}", "is corrupt")
        return {
            "image": np.full((10, 20, 3), index, np.uint8),
            "image_id": str(index),
            "boxes": np.float32([[0.1, 0.2, 0.6, 0.8]]),
        }


@pytest.mark.parametrize(
    ("count", "limit", "kept", "reads"),
    [
        (1, BYTES, 1, 1),  # Just fits.
        (1, BYTES - 1, 0, 3),  # One byte short.
        (3, 3 * BYTES, 3, 1),
        (3, 3 * BYTES - 1, 0, 3),
        (40, 40 * BYTES, 40, 1),
        (40, 39 * BYTES, 0, 3),  # All or nothing.
        (3, 0, 0, 3),  # Switched off.
    ],
)
def test_all_samples_are_kept_or_none(count, limit, kept, reads):
    source = Counted(count)
    cache = SampleCache(source, limit)
    for _ in range(3):
        for index in range(count):
            assert cache[index]["image"][0, 0, 0] == index
    assert (len(cache), cache.bytes) == (kept, kept * BYTES)
    assert source.reads == [reads] * count


def test_a_large_data_set_is_given_up_after_a_few_samples():
    source = Counted(1000)
    cache = SampleCache(source, 999 * BYTES)
    for index in range(15):
        cache[index]
    assert len(cache) == 15
    cache[15]
    assert (len(cache), cache.limit, cache.bytes) == (0, 0, 0)


def test_what_cannot_be_read_is_tried_and_told_each_time():
    source = Counted(3, bad=[1])
    cache = SampleCache(source, 1 << 20)
    for _ in range(3):
        with pytest.raises(DataError, match="is corrupt"):
            cache[1]
    assert source.reads == [0, 3, 0]


def test_nobody_changes_what_is_kept():
    cache = SampleCache(Counted(1), 1 << 20)
    first = cache[0]
    first["image_id"] = "changed"  # The one that was read: the caller's own.
    sample = cache[0]
    assert sample["image_id"] == "0"
    sample["boxes"] = np.zeros((0, 4), np.float32)
    assert len(cache[0]["boxes"]) == 1
    with pytest.raises(ValueError, match="read-only"):
        cache[0]["image"][0] = 1


def pipeline_of(source, order, augmentations=(), cache=1 << 20):
    collate = Collate(2, max_boxes=3, problems=source.problems)
    resizer = FixedShape(8, 8)
    return Pipeline(source, resizer, collate, order, augmentations, 1, cache=cache)


def test_training_batches_are_the_same_with_it():
    steps = (HorizontalFlip(), AdjustBrightness(), ScaleCropPadToSquare(8, 0.5, 2.0))
    sources = Counted(4), Counted(4)
    with (
        pipeline_of(sources[0], Order(seed=3), steps) as kept,
        pipeline_of(sources[1], Order(seed=3), steps, cache=0) as anew,
    ):
        for _ in range(8):  # Four epochs.
            ours, theirs = next(kept), next(anew)
            assert ours.image_ids == theirs.image_ids
            np.testing.assert_array_equal(ours.images, theirs.images)
            np.testing.assert_array_equal(
                ours.groundtruth.boxes, theirs.groundtruth.boxes
            )
    assert sources[0].reads == [1] * 4
    assert min(sources[1].reads) >= 4


def test_an_evaluation_keeps_nothing():
    source = Counted(4)
    with pipeline_of(source, Order(training=False)) as pipeline:
        for _ in range(2):
            assert len(list(pipeline)) == 2
    assert source.reads == [2] * 4
