"""Joint fields of samples that are combined to one image."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from partner_samples import plain

from odapi.data.augment.concatenate import concatenate
from odapi.data.augment.placement import KnownMask
from odapi.data.image.lazy_masks import LazyMasks

SIZE = (4, 6)


def sample(name, count, **fields):
    made = plain(name, count, SIZE, *[(0, 0, 1, 1)] * count, masks=False)
    return made | fields


def masks(*values):
    known = [np.full(SIZE, value, "u1") for value in values if value is not None]
    decoders = [KnownMask(mask) for mask in known]
    return LazyMasks(tuple(decoders) or (None,), SIZE)


def test_fields_that_a_sample_lacks_are_unknown():
    joint = concatenate(
        [
            sample("a", 1, weights=np.float32([0.5]), is_crowd=np.array([True])),
            sample("b", 2, track_ids=np.int32([7, 8])),
            sample("c", 0),
        ]
    )
    assert joint["image_id"] == "a" and "image" not in joint
    assert joint["classes"].tolist() == [1, 2, 2]
    assert joint["weights"].tolist() == [0.5, 1, 1]
    assert joint["is_crowd"].tolist() == [True, False, False]
    assert joint["track_ids"].tolist() == [-1, 7, 8]
    assert [joint[k].dtype for k in ("weights", "track_ids")] == ["float32", "int32"]


def test_keypoints_of_samples_without_objects_have_no_number():
    empty = np.zeros((0, 0, 2), "float32")
    points = np.float32([[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]])
    joint = concatenate(
        [
            sample("a", 0, keypoints=empty),
            sample("b", 1, keypoints=points),
            sample("c", 1),
        ]
    )
    assert_array_equal(joint["keypoints"][0], points[0])
    assert np.isnan(joint["keypoints"][1]).all() and joint["keypoints"].shape[0] == 2
    joint = concatenate([sample("a", 0, keypoints=empty)] * 2)
    assert joint["keypoints"].shape == (0, 0, 2)


def test_masks_stay_undecoded_and_missing_ones_are_empty():
    joint = concatenate(
        [
            sample("a", 1, masks=masks(1)),
            sample("b", 1),
            sample("c", 1, masks=masks(None)),
        ]
    )
    assert isinstance(joint["masks"], LazyMasks)
    assert joint["masks"].shape == (3, *SIZE)
    assert np.asarray(joint["masks"]).sum(axis=(1, 2)).tolist() == [24, 0, 0]


@pytest.mark.parametrize(
    ("labeled", "expected"),
    [
        (([0, 1], [1, 2]), [1]),
        (([0], None), [0]),  # None: all classes.
        ((None, None), None),
        (([0], [1]), []),
    ],
)
def test_labeled_classes_are_those_of_every_image(labeled, expected):
    samples = [
        sample("a", 1, **({} if one is None else {"labeled_classes": np.int32(one)}))
        for one in labeled
    ]
    joint = concatenate(samples)
    found = joint.get("labeled_classes")
    assert (None if found is None else found.tolist()) == expected


def test_classes_with_missing_objects_are_those_of_any_image():
    joint = concatenate(
        [sample("a", 1), sample("b", 1, not_exhaustive_classes=np.int32([3, 1]))]
    )
    assert joint["not_exhaustive_classes"].tolist() == [1, 3]


def test_memory_banks_are_joined():
    def bank(rows, length, name):
        values = np.full((rows, length), rows, "float32")
        return {"context_features": values, "context_image_ids": [name, "both"]}

    joint = concatenate(
        [
            sample("a", 1, **bank(0, 0, "x")),  # An empty bank.
            sample("b", 1, **bank(2, 5, "y")),
            sample("c", 1, **bank(1, 5, "x")),
            sample("d", 1, **bank(3, 4, "z")),  # Of another length: left out.
        ]
    )
    assert joint["context_features"][:, 0].tolist() == [2, 2, 1]
    assert joint["context_image_ids"] == ["x", "both", "y", "z"]
