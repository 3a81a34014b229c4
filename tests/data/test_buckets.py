"""Images of many sizes: the few sizes they are padded to, and who shares a batch."""

import json

import numpy as np
import pytest

from odapi.data.image.resize import FixedShape, Identity, KeepAspectRatio, PadToMultiple
from odapi.data.loader.buckets import Buckets, buckets_of
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.problems import Problems
from odapi.errors import DataError
from odapi.labels import label_map_of

# 800, 977.7, 1155.3 and 1333, each up to a multiple of 32.
ZOO = KeepAspectRatio(800, 1333)
SIDES = (800, 992, 1184, 1344)


@pytest.mark.parametrize(
    ("resizer", "count", "buckets"),
    [
        (FixedShape(300, 300), 4, None),
        (KeepAspectRatio(800, 1333, pad_to_max=True), 4, None),
        (ZOO, 0, None),
        (ZOO, 4, Buckets(SIDES)),
        (ZOO, 1, Buckets((800, 1344), 1)),
        (KeepAspectRatio(600, 600), 4, Buckets((608,))),
        (Identity(), 2, Buckets(steps=2)),
        (PadToMultiple(8), 4, Buckets()),
    ],
)
def test_buckets_of_resizers(resizer, count, buckets):
    assert buckets_of(resizer, count) == buckets


@pytest.mark.parametrize(
    ("buckets", "size", "padded"),
    [
        (Buckets(SIDES), (800, 1067), (800, 1184)),
        (Buckets(SIDES), (1067, 800), (1184, 800)),
        (Buckets(SIDES), (800, 800), (800, 800)),
        (Buckets(SIDES), (801, 1344), (992, 1344)),
        (Buckets(SIDES), (1, 1333), (800, 1344)),
        # Beyond the last side: 2 ** 10.5 = 1448.2, up to a multiple of 32.
        (Buckets(SIDES), (800, 1345), (800, 1472)),
        (Buckets(), (1, 1), (32, 32)),
        (Buckets(), (512, 513), (512, 640)),  # 2 ** 9.25 = 608.9
        (Buckets(steps=1), (257, 512), (512, 512)),
    ],
)
def test_sizes_grow_to_those_of_a_bucket(buckets, size, padded):
    assert buckets(*size) == padded


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"sides": (2, 1)}, {"sides": (1, 1)}])
def test_buckets_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="must"):
        Buckets(**wrong)


class Shapes:
    """Image i is wide if i % 3, else tall; some cannot be read."""

    name = "shapes"

    def __init__(self, count, bad=()):
        self.count, self.bad = count, bad
        self.label_map = label_map_of(["a"])
        self.problems = Problems()

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.bad:
            raise DataError(str(index), "is corrupt")
        size = (40, 100) if index % 3 else (100, 40)
        return {
            "image": np.full((*size, 3), index, "uint8"),
            "image_id": str(index),
            "boxes": np.float32([[0.0, 0.0, 0.5, 1.0]]),
            "classes": np.zeros(1, "int32"),
        }


def batches_of(source, batch_size=4, training=True, **kwargs):
    collate = Collate(batch_size, 2, problems=source.problems, buckets=Buckets())
    order = Order(training=training, **kwargs)
    return Pipeline(source, Identity(), collate, order, threads=2)


def test_a_batch_holds_pictures_of_one_bucket_and_none_is_lost():
    with batches_of(Shapes(12), shuffle=False) as pipeline:
        batches = [next(pipeline) for _ in range(6)]
    # Wide ones come twice as often.
    assert [b.image_ids for b in batches] == [
        ("1", "2", "4", "5"),
        ("0", "3", "6", "9"),
        ("7", "8", "10", "11"),
        ("1", "2", "4", "5"),
        ("0", "3", "6", "9"),
        ("7", "8", "10", "11"),
    ]
    assert batches[0].images.shape == (4, 64, 128, 3)
    np.testing.assert_array_equal(batches[0].info.true_size, [[40, 100]] * 4)
    # The lower edge of the box, half of 40 of 64 pixels; the right one, 100 of 128.
    np.testing.assert_allclose(
        batches[0].groundtruth.boxes[0, 0], [0, 0, 0.3125, 0.78125]
    )


@pytest.mark.parametrize("seen", [0, 1, 2, 5])
def test_a_resumed_pipeline_gives_the_same_batches(seen):
    source = Shapes(11, bad=(4,))
    with batches_of(source, 3) as pipeline:
        for _ in range(seen):
            next(pipeline)
        state = json.loads(json.dumps(pipeline.get_state()))
        expected = [next(pipeline).image_ids for _ in range(8)]
    with batches_of(source, 3) as pipeline:
        pipeline.set_state(state)
        assert [next(pipeline).image_ids for _ in range(8)] == expected


def test_an_evaluation_keeps_its_order():
    with batches_of(Shapes(5), 2, training=False) as pipeline:
        batches = list(pipeline)
    assert [b.image_ids for b in batches] == [("0", "1"), ("2", "3"), ("4", "4")]
    assert [b.images.shape[1:3] for b in batches] == [(128, 128), (128, 128), (64, 128)]
