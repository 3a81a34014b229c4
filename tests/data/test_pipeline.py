"""Order, position, threads and bad samples of the input pipeline."""

import json
import pathlib
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.square import ScaleCropPadToSquare
from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.problems import Problems
from odapi.errors import DataError
from odapi.labels import label_map_of


class Numbers:
    """A source in memory: image i has the color i and i % 3 objects."""

    def __init__(self, count, bad=(), name="numbers"):
        self.count, self.bad, self.name = count, set(bad), name
        self.label_map = label_map_of(["a", "b"])
        self.problems = Problems()
        self.image_ids = [f"{name}-{i}" for i in range(count)]

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.bad:
            self.problems.add("corrupt image", "skipped", self.image_ids[index])
            raise DataError(self.image_ids[index], "is corrupt")
        boxes = np.tile(np.float32([0.1, 0.2, 0.6, 0.8]), (index % 3, 1))
        return {
            "image": np.full((12, 16, 3), index, "uint8"),
            "image_id": self.image_ids[index],
            "boxes": boxes,
            "classes": np.zeros(len(boxes), "int32"),
        }

    def annotations(self, index):
        sample = self[index]
        return sample | {"size": sample.pop("image").shape[:2]}


def pipeline_of(source, batch_size=4, order=Order(), augmentations=(), **kwargs):  # noqa: B008
    collate = Collate(batch_size, max_boxes=5, problems=source.problems)
    return Pipeline(source, FixedShape(8, 8), collate, order, augmentations, **kwargs)


def ids_of(batches):
    return [image_id for batch in batches for image_id in batch.image_ids]


def take(pipeline, number):
    return [next(pipeline) for _ in range(number)]


RANDOM = (HorizontalFlip(), ScaleCropPadToSquare(8, 0.5, 2.0))


def assert_equal(batches, others):
    assert ids_of(batches) == ids_of(others)
    for batch, other in zip(batches, others, strict=True):
        np.testing.assert_array_equal(batch.images, other.images)
        np.testing.assert_array_equal(batch.groundtruth.boxes, other.groundtruth.boxes)


def test_an_evaluation_sees_each_image_once_in_order_and_pads_the_last_batch():
    with pipeline_of(Numbers(10), order=Order(training=False)) as pipeline:
        for _ in range(2):  # Each iteration starts anew.
            batches = list(pipeline)
            assert [b.real.tolist() for b in batches] == [
                [True] * 4,
                [True] * 4,
                [True, True, False, False],
            ]
            assert ids_of(batches)[:10] == pipeline.source.image_ids
            assert batches[2].images[:, 0, 0, 0].tolist() == [8, 9, 9, 9]
        assert pipeline.num_batches == 3


def test_an_evaluation_that_is_left_early_starts_at_the_beginning_again():
    with pipeline_of(Numbers(10), order=Order(training=False)) as pipeline:
        next(iter(pipeline))
        assert next(iter(pipeline)).image_ids[0] == "numbers-0"


def test_training_sees_each_image_once_an_epoch_in_another_order():
    with pipeline_of(Numbers(12)) as pipeline:
        first, second = ids_of(take(pipeline, 3)), ids_of(take(pipeline, 3))
    assert sorted(first) == sorted(second) == sorted(pipeline.source.image_ids)
    assert first != second
    assert first != pipeline.source.image_ids


def test_training_without_shuffling_keeps_the_order_of_the_source():
    with pipeline_of(Numbers(6), order=Order(shuffle=False)) as pipeline:
        ids = ids_of(take(pipeline, 3))
    assert ids == [f"numbers-{i % 6}" for i in range(12)]


def test_training_batches_are_whole_and_run_over_the_end_of_an_epoch():
    with pipeline_of(Numbers(3), batch_size=8) as pipeline:
        batch = next(pipeline)
    assert batch.images.shape == (8, 8, 8, 3)
    assert batch.real is None
    assert len(set(batch.image_ids[:3])) == 3


@pytest.mark.parametrize("other", [dict(threads=1), dict(threads=7, prefetch=0)])
def test_threads_and_prefetching_do_not_change_the_batches(other):
    with (
        pipeline_of(Numbers(10), augmentations=RANDOM, threads=3) as pipeline,
        pipeline_of(Numbers(10), augmentations=RANDOM, **other) as second,
    ):
        assert_equal(take(pipeline, 6), take(second, 6))


def test_the_seed_changes_order_and_augmentation():
    with (
        pipeline_of(Numbers(10), order=Order(seed=1)) as pipeline,
        pipeline_of(Numbers(10), order=Order(seed=2)) as second,
    ):
        assert ids_of(take(pipeline, 2)) != ids_of(take(second, 2))


@pytest.mark.parametrize("steps", [0, 1, 3, 7])
def test_a_resumed_run_goes_on_with_the_same_batches(steps):
    bad = (2, 3)
    with pipeline_of(Numbers(10, bad), augmentations=RANDOM) as whole:
        expected = take(whole, 12)
    with pipeline_of(Numbers(10, bad), augmentations=RANDOM) as before:
        take(before, steps)
        state = json.loads(json.dumps(before.get_state()))
        take(before, 1)  # Reading on does not move a position that was taken.
    with pipeline_of(Numbers(10, bad), augmentations=RANDOM) as after:
        take(after, 2)
        after.set_state(state)
        assert after.get_state() == state
        assert_equal(take(after, 12 - steps), expected[steps:])


@pytest.mark.parametrize(
    ("source", "order", "message"),
    [
        (Numbers(11), Order(), "num_images 10, now it is 11"),
        (Numbers(10), Order(seed=5), "seed 0, now it is 5"),
    ],
)
def test_a_position_in_other_data_is_refused(source, order, message):
    with pipeline_of(Numbers(10)) as pipeline:
        state = pipeline.get_state()
    with pytest.raises(DataError, match=message):
        pipeline_of(source, order=order).set_state(state)


@pytest.mark.parametrize("shuffle", [True, False])
def test_bad_samples_are_replaced_by_random_ones_in_place_and_counted_once(shuffle):
    order = Order(shuffle=shuffle, seed=3)
    with pipeline_of(Numbers(10), order=order) as pipeline:
        whole = ids_of(take(pipeline, 10))
    source = Numbers(10, bad=(0, 4, 9))
    with pipeline_of(source, order=order, threads=3) as pipeline:
        ids = ids_of(take(pipeline, 10))
    bad = {f"numbers-{i}" for i in source.bad}
    substitutes = [new for new, old in zip(ids, whole, strict=True) if old in bad]
    assert [i for i in whole if i not in bad] == [
        new for new, old in zip(ids, whole, strict=True) if old not in bad
    ]
    # 12 of 7 good ones.
    assert len(set(substitutes)) > 3
    assert not set(substitutes) & bad
    assert pipeline.problems.count("corrupt image") == 3


def test_a_single_good_sample_is_found():
    # Random trials would miss it in one of seven cases.
    with pipeline_of(Numbers(50, bad=range(1, 50))) as pipeline:
        assert set(ids_of(take(pipeline, 5))) == {"numbers-0"}


def test_a_substitute_gets_the_random_numbers_of_its_position():
    drawn = []

    def draw(sample, rng):
        drawn.append((sample["image_id"], rng.random()))
        return sample

    order, source = Order(shuffle=False), Numbers(4, bad=(1,))
    with pipeline_of(source, 4, order, (draw,), threads=1) as pipeline:
        substitute = next(pipeline).image_ids[1]
    assert (substitute, order.rng(1).random()) in drawn
    assert substitute != "numbers-1"


def test_bad_samples_are_counted_where_the_source_does_not():
    source = Numbers(4, bad=(1,))
    collate = Collate(2, problems=Problems())
    order = Order(training=False)
    with Pipeline(source, FixedShape(4, 4), collate, order) as pipeline:
        assert len(list(pipeline)) == 2
    assert [p.first for p in pipeline.problems] == [["numbers-1"]]


def test_data_without_one_good_image_ends_with_a_message():
    with (
        pipeline_of(Numbers(6, bad=range(6))) as pipeline,
        pytest.raises(DataError, match="none of 6 images can be used; the last:"),
    ):
        next(pipeline)


def test_an_evaluation_without_one_good_image_has_no_batches():
    source = Numbers(3, bad=range(3))
    with pipeline_of(source, order=Order(training=False)) as pipeline:
        assert list(pipeline) == []


def test_an_empty_source_is_refused():
    with pytest.raises(DataError, match="has no images"):
        pipeline_of(Numbers(0))


def test_a_mistake_in_an_augmentation_reaches_the_caller():
    def wrong(sample, rng):
        raise ValueError("wrong")

    with (
        pipeline_of(Numbers(4), augmentations=(wrong,)) as pipeline,
        pytest.raises(ValueError, match="wrong"),
    ):
        next(pipeline)


def test_weights_say_how_often_samples_of_each_part_come():
    order = Order(parts=(3, 9), weights=(3.0, 1.0))
    with pipeline_of(Numbers(12), batch_size=8, order=order) as pipeline:
        ids = ids_of(take(pipeline, 9))
    few = [i for i in ids if i in ("numbers-0", "numbers-1", "numbers-2")]
    assert len(few) == 54  # Of 72.
    assert len(set(few)) == 3
    assert len(set(ids) - set(few)) == 9


def test_a_part_of_weight_0_never_comes():
    order = Order(parts=(3, 9), weights=(0.0, 1.0))
    with pipeline_of(Numbers(12), order=order) as pipeline:
        ids = ids_of(take(pipeline, 9))
    assert sorted(set(ids)) == sorted(f"numbers-{i}" for i in range(3, 12))


@pytest.mark.parametrize(
    ("parts", "weights"), [((1,), ()), ((1, 2), (0.0, 0.0)), ((1, 2), (1.0, -1.0))]
)
def test_weights_that_cannot_be_are_refused(parts, weights):
    with pytest.raises(ValueError, match="weights"):
        Order(parts=parts, weights=weights)


class Slow(Numbers):
    def __getitem__(self, index):
        time.sleep(0.01)
        return super().__getitem__(index)


def eventually(condition):
    """Waits until a condition holds, for at most a minute."""
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


class Watched(Slow):
    def __init__(self, count):
        super().__init__(count)
        self.seen = set()

    def __getitem__(self, index):
        self.seen.add(index)
        return super().__getitem__(index)


def test_waiting_is_measured():
    with pipeline_of(Slow(8), threads=2) as pipeline:
        next(pipeline)
        assert pipeline.wait_seconds >= 0.01


def test_batches_are_read_ahead():
    source = Watched(20)
    order = Order(training=False)
    with pipeline_of(source, 2, order, threads=1, prefetch=2) as pipeline:
        next(pipeline)
        # The next two batches, before they are asked for.
        eventually(lambda: {2, 3, 4, 5} <= source.seen)


def threads_of_grain():
    return [t for t in threading.enumerate() if "grain" in t.name and t.is_alive()]


def test_closing_stops_the_threads():
    before = set(threads_of_grain())
    pipeline = pipeline_of(Slow(8), threads=3)
    next(pipeline)
    assert set(threads_of_grain()) - before
    pipeline.close()
    eventually(lambda: not set(threads_of_grain()) - before)


def test_a_pipeline_that_nobody_holds_stops_its_threads():
    before = set(threads_of_grain())
    pipeline = pipeline_of(Slow(8), threads=3)
    next(pipeline)
    del pipeline
    eventually(lambda: not set(threads_of_grain()) - before)


class Large(Numbers):
    def __getitem__(self, index):
        image = np.zeros((100, 200, 3), "uint8")
        return super().__getitem__(index) | {"image": image}


def test_memory_does_not_grow_with_the_epochs():
    with pipeline_of(Large(9), augmentations=RANDOM, batch_size=2) as pipeline:
        tracemalloc.start()
        take_and_forget(pipeline, 30)
        before, _ = tracemalloc.get_traced_memory()
        take_and_forget(pipeline, 60)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # 120 samples of 60 kB would be 7 MB; some are on their way, now and then.
    assert after - before < 1_000_000


def take_and_forget(pipeline, number):
    for _ in range(number):
        next(pipeline)


INTERRUPTED = """
import os, signal, sys, threading, time
sys.path.insert(0, {folder!r})
from test_pipeline import Slow, pipeline_of
# A shell that starts tests in the background has them ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
pipeline = pipeline_of(Slow(50), threads=2)
next(pipeline)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        next(pipeline)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupted_program_ends_at_once_and_quietly():
    folder = str(pathlib.Path(__file__).parent)
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(folder=folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "interrupted\n", "")


def test_no_backend_is_imported_before_the_first_batch():
    code = (
        "import sys, odapi.data.loader.pipeline\n"
        "import odapi.data.image.resize, odapi.data.augment.crop\n"
        "names = ('keras', 'tensorflow', 'jax', 'torch', 'grain')\n"
        "print([n for n in names if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "[]\n"


def test_another_pipeline_of_the_same_batches_leaves_the_position_alone():
    order = Order(training=True, seed=5)
    with pipeline_of(Numbers(10, [3]), order=order, augmentations=RANDOM) as whole:
        batches = take(whole, 8)
    with pipeline_of(Numbers(10, [3]), order=order, augmentations=RANDOM) as first:
        start = take(first, 2)
        with first.from_start() as other:
            assert_equal(take(other, 3), batches[:3])
        assert_equal(start + take(first, 6), batches)
        assert first.problems.count("corrupt image") == 1


def test_groundtruth_that_nobody_reads_is_left_out_and_what_lacks_is_an_error():
    collate = Collate(2, max_boxes=5, fields=("is_crowd", "area"))
    with Pipeline(Numbers(4), FixedShape(8, 8), collate) as pipeline:
        pipeline.select_fields(("area", "multiclass_scores"))
        truth = next(pipeline).groundtruth
        assert (truth.is_crowd is None, truth.area is None) == (True, False)
        with pytest.raises(DataError, match=r"learns masks.*\n.*load_instance_masks"):
            pipeline.select_fields(("masks",))
    with pipeline_of(Numbers(4), order=Order(training=False)) as held_out:
        held_out.check_has(("labeled_classes",))  # Where there are none, all count.
        with pytest.raises(DataError, match=r"eval_input_reader\.load_track_id"):
            held_out.check_has(("track_ids",))
