"""Batches of one shape from samples of many."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from odapi.data.loader.collate import TOO_MANY_BOXES, Collate, merge_equal_boxes
from odapi.data.problems import Problems


def sample_of(count, size=(4, 4), name="image", **extra):
    """A resized sample; object i has the box [0, 0, 1, 0.1 * i] and class i."""
    boxes = np.zeros((count, 4), "float32")
    boxes[:, 2], boxes[:, 3] = 1, 0.1 * np.arange(count)
    return {
        "image": np.full((*size, 3), 5, "uint8"),
        "image_id": name,
        "boxes": boxes,
        "classes": np.arange(count, dtype="int32"),
        "original_size": np.int32([8, 9]),
        "true_size": np.int32(size),
        **extra,
    }


def test_groundtruth_is_padded_and_valid_says_where():
    batch = Collate(2, 3)([sample_of(2, name="a"), sample_of(0, name="b")])
    truth = batch.groundtruth
    assert truth.boxes.shape == (2, 3, 4)
    assert truth.boxes.dtype == "float32"
    assert truth.classes.tolist() == [[0, 1, 0], [0, 0, 0]]
    assert truth.classes.dtype == "int32"
    assert truth.valid.tolist() == [[True, True, False], [False] * 3]
    assert truth.weights.tolist() == [[1, 1, 0], [0, 0, 0]]
    assert truth.weights.dtype == "float32"
    assert truth.masks is None
    assert truth.is_crowd is None
    assert batch.image_ids == ("a", "b")
    assert batch.info.original_size.tolist() == [[8, 9], [8, 9]]
    assert batch.info.true_size.tolist() == [[4, 4], [4, 4]]
    assert batch.images.dtype == "uint8"
    assert batch.real.tolist() == [True, True]


def test_weights_of_samples_are_kept():
    batch = Collate(1, 3)([sample_of(2, weights=np.float32([0.5, 2]))])
    assert batch.groundtruth.weights.tolist() == [[0.5, 2, 0]]


def test_of_too_many_objects_the_first_are_kept_and_the_others_counted():
    problems = Problems()
    collate = Collate(2, 3, problems=problems)
    batch = collate([sample_of(5, name="full"), sample_of(3)])
    assert batch.groundtruth.classes.tolist() == [[0, 1, 2]] * 2
    assert batch.groundtruth.valid.all()
    (problem,) = problems
    assert (problem.kind, problem.outcome) == (TOO_MANY_BOXES, "dropped")
    assert (problem.first, problem.count) == (["full"], 2)
    collate([sample_of(9, name="fuller"), sample_of(5, name="full")])
    (problem,) = problems.as_dict()
    assert (problem["count"], problem["enough"]) == (8, 9)


def test_keep_all_makes_room_in_steps_of_max_boxes():
    collate = Collate(1, 3, keep_all=True)
    assert collate([sample_of(3)]).groundtruth.boxes.shape == (1, 3, 4)
    assert collate([sample_of(7)]).groundtruth.valid.tolist() == [
        [True] * 7 + [False] * 2
    ]
    assert collate([sample_of(0)]).groundtruth.boxes.shape == (1, 3, 4)
    assert not collate.problems


def test_missing_samples_repeat_the_last_one():
    batch = Collate(3, 2)([sample_of(1, name="only")])
    assert batch.image_ids == ("only",) * 3
    assert batch.real.tolist() == [True, False, False]
    assert batch.groundtruth.valid[:, 0].all()


def test_fields_that_are_asked_for_are_filled_with_defaults_where_missing():
    crowd = sample_of(2, is_crowd=np.array([True, False]), area=np.float32([3, 4]))
    batch = Collate(2, 3, fields=("is_crowd", "area", "confidences", "track_ids"))(
        [crowd, sample_of(1)]
    )
    truth = batch.groundtruth
    assert truth.is_crowd.tolist() == [[True, False, False], [False] * 3]
    assert truth.area.tolist() == [[3, 4, 0], [0, 0, 0]]
    assert truth.confidences.tolist() == [[1, 1, 0], [1, 0, 0]]
    assert truth.track_ids.tolist() == [[-1, -1, 0], [-1, 0, 0]]
    assert truth.difficult is None


def test_masks_and_keypoints_are_padded():
    keypoints = np.float32([[[0.5, 0.5], [np.nan, np.nan]]])
    visibility = np.int32([[2, 0]])
    full = sample_of(
        1,
        masks=np.ones((1, 4, 4), "uint8"),
        keypoints=keypoints,
        keypoint_visibility=visibility,
    )
    empty = sample_of(
        0,
        masks=np.ones((0, 4, 4), "uint8"),
        keypoints=keypoints[:0],
        keypoint_visibility=visibility[:0],
    )
    fields = ("masks", "keypoints", "keypoint_visibility")
    truth = Collate(2, 2, fields=fields)([empty, full]).groundtruth
    assert truth.masks.shape == (2, 2, 4, 4)
    assert truth.masks.sum(axis=(2, 3)).tolist() == [[0, 0], [16, 0]]
    assert truth.keypoints.shape == (2, 2, 2, 2)
    assert_allclose(truth.keypoints[1, 0], keypoints[0])
    assert np.isnan(truth.keypoints[0]).all()
    assert np.isnan(truth.keypoints[1, 1]).all()
    assert truth.keypoint_visibility.tolist() == [[[0, 0], [0, 0]], [[2, 0], [0, 0]]]


def test_a_batch_without_objects_has_the_shapes_of_others():
    collate = Collate(1, 2, fields=("keypoints",), shapes={"keypoints": (17, 2)})
    assert collate([sample_of(0)]).groundtruth.keypoints.shape == (1, 2, 17, 2)


def test_pictures_of_different_sizes_are_padded_to_the_largest():
    wide = sample_of(2, size=(2, 8), masks=np.ones((2, 2, 8), "uint8"))
    tall = sample_of(2, size=(4, 4), masks=np.ones((2, 4, 4), "uint8"))
    tall["keypoints"] = wide["keypoints"] = np.float32([[[1, 1]], [[1, 1]]])
    batch = Collate(2, 2, fields=("masks", "keypoints"))([wide, tall])
    assert batch.images.shape == (2, 4, 8, 3)
    assert (batch.images[0, :2] == 5).all()
    assert not batch.images[0, 2:].any()
    assert not batch.images[1, :, 4:].any()
    assert batch.info.true_size.tolist() == [[2, 8], [4, 4]]
    assert_allclose(batch.groundtruth.boxes[0, 1], [0, 0, 0.5, 0.1])
    assert_allclose(batch.groundtruth.boxes[1, 1], [0, 0, 1, 0.05])
    assert batch.groundtruth.keypoints[:, 0, 0].tolist() == [[0.5, 1], [1, 0.5]]
    assert batch.groundtruth.masks[0, 0].sum() == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(batch_size=0), "batch_size must be 1 or more"),
        (dict(batch_size=1, max_boxes=0), "max_boxes must be 1 or more"),
        (dict(batch_size=1, fields=("mask",)), r"no such fields.*\['mask'\]"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Collate(**arguments)


def test_objects_with_the_same_box_become_one_with_several_classes():
    boxes = [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 1, 1.00001], [0, 0, 0.5, 0.6]]
    sample = {
        "image": None,
        "boxes": np.float32(boxes),
        "classes": np.int32([2, 0, 1, 2]),
        "weights": np.float32([1, 2, 3, 4]),
    }
    merged = merge_equal_boxes(sample, num_classes=3)
    assert merged["multiclass_scores"].tolist() == [
        [0, 0, 1, 1],
        [0, 1, 0, 0],
        [0, 0, 0, 1],
    ]
    assert merged["weights"].tolist() == [1, 2, 4]
    assert merged["classes"].tolist() == [2, 0, 2]


@pytest.mark.parametrize(
    ("boxes", "classes", "confidences", "expected"),
    [
        # From ops_test.py of the original, testMergeBoxesWithMultipleLabels.
        (
            [[0.25, 0.25, 0.75, 0.75], [0, 0, 0.5, 0.75], [0.25, 0.25, 0.75, 0.75]],
            [0, 4, 2],
            [0.8, 0.2, 0.1],
            [[0, 0.8, 0, 0.1, 0, 0], [0, 0, 0, 0, 0, 0.2]],
        ),
        # The same, testMergeBoxesWithMultipleLabelsCornerCase.
        (
            [
                [0, 0, 1, 1], [0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1],
                [1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1],
            ],
            [0, 1, 2, 3, 2, 1, 0, 3],
            [0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6],
            [
                [0, 0.1, 0.0, 0.0, 0.6, 0], [0, 0.4, 0.9, 0.0, 0.0, 0],
                [0, 0.0, 0.7, 0.2, 0.0, 0], [0, 0.0, 0.0, 0.3, 0.8, 0],
            ],
        ),
    ],
)  # fmt: skip
def test_merged_objects_keep_one_confidence_per_class(
    boxes, classes, confidences, expected
):
    sample = {
        "boxes": np.float32(boxes),
        "classes": np.int32(classes),
        "confidences": np.float32(confidences),
    }
    merged = merge_equal_boxes(sample, num_classes=5, confidences=True)
    assert_allclose(merged["multiclass_scores"], expected, atol=1e-6)
    ones = merge_equal_boxes(sample, num_classes=5)["multiclass_scores"]
    assert ones.tolist() == (np.float32(expected) > 0).tolist()


def test_objects_without_confidence_are_merged_with_1():
    sample = {"boxes": np.zeros((1, 4), "float32"), "classes": np.int32([1])}
    merged = merge_equal_boxes(sample, num_classes=2, confidences=True)
    assert merged["multiclass_scores"].tolist() == [[0, 0, 1]]


def test_merging_no_objects_is_no_object():
    sample = {"boxes": np.zeros((0, 4), "float32"), "classes": np.zeros(0, "int32")}
    merged = merge_equal_boxes(sample, num_classes=3)
    assert merged["multiclass_scores"].shape == (0, 4)


def test_classes_count_as_looked_for_unless_an_image_says_otherwise():
    collate = Collate(2, 1, ("labeled_classes",), shapes={"labeled_classes": (3,)})
    some = np.array([0, 7], "int32")  # The model may know fewer classes.
    batch = collate([sample_of(1), sample_of(1, labeled_classes=some)])
    assert batch.groundtruth.labeled_classes.tolist() == [
        [True, True, True],
        [True, False, False],
    ]


def test_masks_keep_the_size_of_the_images_where_no_object_has_one():
    batch = Collate(1, 2, ("masks",))([sample_of(1, size=(5, 6))])
    assert batch.groundtruth.masks.shape == (1, 2, 5, 6)
