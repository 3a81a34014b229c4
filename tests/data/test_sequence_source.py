"""Samples made in Python, as a source."""

import re

import numpy as np
import pytest

from odapi.data.convert import Target, convert
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.draw.file import save_image
from odapi.errors import DataError
from odapi.fields import FIELDS

NAMES = ["cat", "dog"]


def item(**changes):
    return {
        "image": np.full((10, 20, 3), 7, np.uint8),
        "boxes": [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]],
        "classes": [0, 1],
        **changes,
    }


def test_arrays():
    source = SequenceSource([item(), item(image_id="x", boxes=[], classes=[])], NAMES)
    assert len(source) == 2
    assert source.image_ids == ["0", "x"]
    assert [c.name for c in source.label_map] == NAMES
    first, second = source[0], source[1]
    assert first["image"].shape == (10, 20, 3)
    assert first["boxes"].dtype == np.float32
    assert first["classes"].tolist() == [0, 1]
    assert second["boxes"].shape == (0, 4)
    assert source.annotations(0)["size"] == (10, 20)


def test_files(tmp_path):
    image = np.full((10, 20, 3), 9, np.uint8)
    path = save_image(tmp_path / "a.png", image)
    source = SequenceSource([item(image=str(path)), item(image=path)], NAMES)
    for index in range(2):
        np.testing.assert_array_equal(source[index]["image"], image)
        assert source[index]["filename"] == "a.png"
    assert source.annotations(1)["size"] == (10, 20)


def test_optional_fields_and_their_defaults():
    masks = np.zeros((2, 10, 20), np.uint8)
    masks[0, :5, :10] = 1
    points = np.full((2, 3, 2), 0.5)
    full = item(masks=masks, keypoints=points, is_crowd=[True, False])
    source = SequenceSource([full, item()], NAMES)
    assert source.keys == {"masks", "keypoints", "is_crowd"}
    first, second = source[0], source[1]
    np.testing.assert_array_equal(np.asarray(first["masks"]), masks)
    assert first["keypoints"].shape == second["keypoints"].shape == (2, 3, 2)
    assert np.isnan(second["keypoints"]).all()
    assert second["is_crowd"].tolist() == [False, False]
    assert second["mask_weights"].tolist() == [0, 0]  # Unknown, not empty.


def test_boxes_are_cleaned_as_those_of_files():
    boxes = [[-0.5, 0.0, 0.5, 0.5], [0.2, 0.2, 0.2, 0.4]]
    source = SequenceSource([item(boxes=boxes)], NAMES)
    assert source[0]["boxes"].tolist() == [[0, 0, 0.5, 0.5]]
    assert {p.kind for p in source.problems} == {
        "box beyond the image", "box without area",
    }  # fmt: skip


def test_the_arrays_of_the_user_cannot_be_changed_through_a_sample():
    mine = item()
    image = SequenceSource([mine], NAMES)[0]["image"]
    with pytest.raises(ValueError, match="read-only"):
        image[...] = 0
    assert mine["image"].flags.writeable


@pytest.mark.parametrize(
    "bad, message",
    [
        (
            {"boxes": [[0, 0, 1, 1]], "classes": [0, 1]},
            "['classes']: must have one row",
        ),
        ({"boxes": [[0, 0, 10, 20]] * 2}, "['boxes']: must be normalized to 0..1"),
        ({"classes": [0, 2]}, "['classes']: class 2 is not in"),
        ({"image": np.zeros((4, 4, 3))}, "['image']: must be uint8"),
        ({"image": None}, "has no 'image'"),
        ({"labels": [1, 2]}, "unknown key 'labels'"),
    ],
)
def test_a_malformed_sample_names_its_index_and_key(bad, message):
    source = SequenceSource([item(), item(**bad)], NAMES, name="mine")
    with pytest.raises(
        DataError,
        match=re.escape(
            f"mine[1]{message}".replace("]has", "]: has").replace(
                "]unknown", "]: unknown"
            )
        ),
    ):
        source[1]


def test_a_missing_file_is_counted(tmp_path):
    source = SequenceSource([item(image=tmp_path / "none.jpg")], NAMES)
    with pytest.raises(DataError, match="cannot be read"):
        source[0]
    assert [p.kind for p in source.problems] == ["corrupt image"]


def test_an_empty_sequence():
    with pytest.raises(DataError, match="mine: has no samples"):
        SequenceSource([], NAMES, name="mine")


def test_it_converts_to_files(tmp_path):
    source = SequenceSource([item(), item(image_id="b")], NAMES)
    written = convert(source, Target("coco", tmp_path / "a.json"))
    assert (written.count, written.objects) == (2, 4)
    again = open_source(f"coco:{tmp_path / 'a.json'}")
    np.testing.assert_array_equal(again[0]["image"], item()["image"])
    np.testing.assert_allclose(again[1]["boxes"], item()["boxes"], atol=1e-6)


def test_its_fields_are_those_of_the_table():
    source = SequenceSource([item(weights=[1, 0.5])], NAMES)
    assert source.keys <= FIELDS.keys()
    assert source[0]["weights"].tolist() == [1, 0.5]


@pytest.mark.parametrize("samples", [iter([]), (item() for _ in range(2)), 5])
def test_samples_have_a_length_and_an_index(samples):
    with pytest.raises(DataError, match="has no length or no index"):
        SequenceSource(samples, NAMES)


@pytest.mark.parametrize("names", ["cat", [1, 2]])
def test_class_names_are_texts(names):
    with pytest.raises(DataError, match="class names are a list of texts"):
        SequenceSource([item()], names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"masks": np.zeros((2, 20, 10), np.uint8)},
            "['masks']: must have one row per box, [2, 10, 20], got [2, 20, 10]",
        ),
        # A single number per box would count for all of its keypoints.
        (
            {"keypoints": np.zeros((2, 3, 2)), "keypoint_visibility": [[2], [2]]},
            "['keypoint_visibility']: must have 3 keypoints per box, got 1",
        ),
        (
            {"keypoints": np.zeros((2, 1, 2)), "keypoint_visibility": [[2, 2]] * 2},
            "['keypoint_visibility']: must have 1 keypoint per box, got 2",
        ),
        (
            {"keypoints": np.zeros((2, 2, 2)), "keypoint_depths": [[1.0]] * 2},
            "['keypoint_depths']: must have 2 keypoints per box, got 1",
        ),
    ],
)
def test_masks_and_keypoints_fit_the_image_and_each_other(changes, message):
    with pytest.raises(DataError, match=re.escape(message)):
        SequenceSource([item(**changes)], NAMES)[0]
