"""Samples that are combined with others of the dataset, as the loader draws them."""

import collections

import numpy as np
import pytest

from odapi.data.augment.chain import Closing
from odapi.data.augment.copy_paste import CopyPaste
from odapi.data.augment.mixup import MixUp
from odapi.data.augment.mosaic import Mosaic
from odapi.data.augment.partners import Partners
from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import TOO_MANY_BOXES, Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.problems import Problems
from odapi.data.sample_checks import InvalidSampleError
from odapi.errors import DataError
from odapi.labels import label_map_of

STEPS = (Mosaic(0.7), MixUp(0.5), CopyPaste(0.5))


class Images:
    """Image i has the color i, a size of its own, and i % 3 objects of class i."""

    name = "images"

    def __init__(self, count=10, bad=(), own_problems=False):
        self.count, self.bad = count, set(bad)
        self.label_map = label_map_of([f"class {i}" for i in range(count)])
        if own_problems:
            self.problems = Problems()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.bad:
            raise DataError(f"image {index}", "is corrupt")
        count = index % 3
        return {
            "image": np.full((30 + index, 20, 3), 20 * index, "uint8"),
            "image_id": f"image {index}",
            "boxes": np.tile(np.float32([0.1, 0.2, 0.6, 0.8]), (count, 1)),
            "classes": np.full(count, index, "int32"),
            "masks": np.ones((count, 30 + index, 20), "uint8"),
        }


def pipeline_of(source, steps=STEPS, order=Order(), **kwargs):  # noqa: B008
    problems = getattr(source, "problems", Problems())
    collate = Collate(4, max_boxes=12, fields=("masks",), problems=problems)
    kwargs = {"cache": 1 << 24, "threads": 2} | kwargs
    return Pipeline(source, FixedShape(24, 24), collate, order, steps, **kwargs)


def take(pipeline, number):
    return [next(pipeline) for _ in range(number)]


def assert_equal(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.image_ids == other.image_ids
        np.testing.assert_array_equal(batch.images, other.images)
        for name in ("boxes", "classes", "masks", "valid"):
            ours, theirs = (getattr(b.groundtruth, name) for b in (batch, other))
            np.testing.assert_array_equal(ours, theirs, err_msg=name)


@pytest.mark.parametrize("other", [dict(threads=5, prefetch=0), dict(cache=0)])
def test_batches_do_not_depend_on_threads_and_cache(other):
    source = Images(bad=(3,))
    with pipeline_of(source) as one, pipeline_of(source, **other) as two:
        assert_equal(take(one, 6), take(two, 6))


def test_a_resumed_run_gets_the_same_batches():
    source, steps = Images(bad=(3,)), (Closing(STEPS[0], 16), *STEPS[1:])
    with pipeline_of(source, steps) as whole:
        expected = take(whole, 8)
    with pipeline_of(source, steps) as before:
        take(before, 3)
        state = before.get_state()
    with pipeline_of(source, steps) as after:
        after.set_state(state)
        assert_equal(take(after, 5), expected[3:])


def test_processes_make_the_same_batches_and_close_at_the_same_one():
    steps = (Closing(Mosaic(1.0), 16), *STEPS[1:])
    with pipeline_of(Images(), steps) as threads:
        expected = take(threads, 6)
    with pipeline_of(Images(), steps, processes=2) as processes:
        assert_equal(take(processes, 6), expected)


def test_the_last_batches_are_without_the_augmentation():
    with pipeline_of(Images(), (Closing(Mosaic(1.0), 16),), threads=1) as pipeline:
        batches = take(pipeline, 6)
    # An image alone has one color.
    alone = [[image.min() == image.max() for image in b.images] for b in batches]
    assert [any(batch) for batch in alone] == [False] * 4 + [True] * 2
    assert all(alone[4]) and all(alone[5])


def test_images_that_are_not_trained_on_are_no_partners():
    order = Order(shuffle=False, parts=(1, 3), weights=(1.0, 0.0))
    # Only image 0 is trained on, and combined with itself.
    with pipeline_of(Images(4, bad=(2,)), order=order) as pipeline:
        assert {i for b in take(pipeline, 4) for i in b.image_ids} == {"image 0"}
    assert not pipeline.problems


@pytest.mark.parametrize("processes", [0, 1])
def test_unreadable_partners_are_counted_and_replaced(processes):
    source = Images(4, bad=(2,))
    order = Order(shuffle=False, parts=(1, 3), weights=(0.9, 0.1))
    with pipeline_of(source, (Mosaic(1.0),), order, processes=processes) as pipeline:
        take(pipeline, 8)
    (problem,) = pipeline.problems
    assert (problem.kind, problem.count) == ("unusable image", 1)
    assert problem.first == ["image 2"]


def test_a_source_that_counts_its_own_problems_is_not_counted_twice():
    source = Images(3, bad=(1,), own_problems=True)
    with pipeline_of(source, (Mosaic(1.0),)) as pipeline:
        take(pipeline, 4)
    assert not pipeline.problems  # The source counts none in this test.


def test_a_sample_without_readable_partners_is_combined_with_itself():
    found = []

    def read(index):
        raise DataError(f"image {index}", "is corrupt")

    alone = {"image_id": "alone"}
    partners = Partners(read, lambda rng: 7, alone, skipped=found.append)
    assert partners(np.random.default_rng(0)) is alone
    assert {error.place for error in found} == {"image 7"}


def test_mistakes_in_samples_of_the_user_are_not_skipped():
    def read(index):
        raise InvalidSampleError("sample 1", "has no boxes")

    partners = Partners(read, lambda rng: 0, {})
    with pytest.raises(InvalidSampleError):
        partners(np.random.default_rng(0))


ORDERS = {
    "all alike": (Order(), [0.25] * 4),
    "weights": (Order(parts=(1, 3), weights=(3, 1)), [0.75, 1 / 12, 1 / 12, 1 / 12]),
    "a weight of 0": (Order(parts=(1, 3), weights=(0, 1)), [0, 1 / 3, 1 / 3, 1 / 3]),
    "repeats": (Order(repeats=(1.0, 1.0, 2.5, 1.5)), [1 / 6, 1 / 6, 2.5 / 6, 0.25]),
}


@pytest.mark.parametrize("name", ORDERS)
def test_partners_come_as_often_as_in_the_order(name):
    order, expected = ORDERS[name]
    indices, rng = order.indices(4), np.random.default_rng(0)
    counts = collections.Counter(indices.draw(rng) for _ in range(6000))
    shares = [counts[index] / 6000 for index in range(4)]
    # Five standard deviations are 0.032.
    np.testing.assert_allclose(shares, expected, atol=0.032)
    assert [counts[i] == 0 for i in range(4)] == [share == 0 for share in expected]


def test_too_many_objects_of_a_mosaic_are_reported():
    class Many(Images):
        def __getitem__(self, index):
            sample = super().__getitem__(0)
            boxes = np.tile(np.float32([0.4, 0.4, 0.6, 0.6]), (5, 1))
            masks = np.zeros((5, *sample["image"].shape[:2]), "uint8")
            classes = np.zeros(5, "int32")
            return sample | {"boxes": boxes, "classes": classes, "masks": masks}

    step = Mosaic(1.0, 0.5, 0.5)  # All images are wholly visible, mostly.
    with pipeline_of(Many(4), (step,)) as pipeline:
        take(pipeline, 2)
    (problem,) = pipeline.problems
    assert problem.kind == TOO_MANY_BOXES and problem.enough == 20
