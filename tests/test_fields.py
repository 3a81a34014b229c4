"""The table of groundtruth fields, and what follows from a row of it."""

import collections
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from odapi import fields
from odapi.config.protos import input_reader_pb2
from odapi.data.augment import transforms
from odapi.data.augment.transforms import Window
from odapi.data.image.resize import PadToMultiple
from odapi.data.loader import collate
from odapi.data.sample import keep_objects
from odapi.fields import FIELDS, AskedBy, Field, Motion
from odapi.structures import Groundtruth


def test_groundtruth_has_an_attribute_per_field_and_no_other():
    others = {"valid", fields.LABELED_CLASSES}
    assert set(Groundtruth._fields) == FIELDS.keys() | others


def test_names_are_unique_and_dtypes_known():
    assert len(FIELDS) == len(fields._ROWS)
    assert {f.dtype for f in FIELDS.values()} == {"float32", "int32", "uint8", "bool"}


def test_options_that_ask_for_fields_exist_in_the_schema():
    reader = input_reader_pb2.InputReader.DESCRIPTOR.fields_by_name
    assert fields.reader_options() == (
        "load_multiclass_scores", "load_instance_masks", "num_keypoints",
        "load_keypoint_depth_features", "load_track_id", "load_dense_pose",
    )  # fmt: skip
    assert set(fields.reader_options()) <= set(reader.keys())


def test_fields_of_a_batch_by_the_keys_of_a_source():
    keys = {"boxes", "weights", "is_crowd", "masks", "multiclass_scores", "filename"}
    assert fields.loaded_fields(keys) == ["masks", "mask_weights"]
    loaded = fields.loaded_fields(keys, metrics=True)
    assert loaded == ["is_crowd", "masks", "mask_weights"]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("weights", [1, 1]),
        ("track_ids", [-1, -1]),
        ("is_crowd", [False, False]),
        ("keypoint_visibility", [[0, 0, 0], [0, 0, 0]]),
        ("temporal_offsets", [[0, 0], [0, 0]]),
    ],
)
def test_values_of_objects_of_which_nothing_is_known(name, expected):
    values = FIELDS[name].missing_values(2, {"k": 3})
    assert values.tolist() == expected
    assert values.dtype == FIELDS[name].dtype


def test_unknown_keypoints_are_nan():
    values = FIELDS["keypoints"].missing_values(2, {"k": 3})
    assert values.shape == (2, 3, 2)
    assert np.isnan(values).all()


CORNERS = Field(
    "corners", "float32", (4, 2), missing=0.5, padding=-1, motion=Motion.POINT
)
SPEEDS = Field("speeds", "float32", (2,), motion=Motion.OFFSET)
STARS = Field("stars", "int32", ("k",), missing=7)


@pytest.fixture
def new_fields(monkeypatch):
    """Three fields that no code knows, each added as one row."""
    rows = (CORNERS, SPEEDS, STARS)
    for row in rows:
        monkeypatch.setitem(FIELDS, row.name, row)
    names = [*Groundtruth._fields, *(row.name for row in rows)]
    defaults = [None] * len(names)
    made = collections.namedtuple("Groundtruth", names, defaults=defaults)
    monkeypatch.setattr(collate, "Groundtruth", made)


def sample():
    """Two objects in an image of 10 x 20 pixels."""
    corners = [[[0.0, 0.5], [1.0, 0.5], [0.5, 0.0], [0.5, 1.0]]] * 2
    return {
        "image": np.zeros((10, 20, 3), np.uint8),
        "image_id": "a",
        "boxes": np.array([[0, 0, 1, 0.5], [0, 0.5, 1, 1]], np.float32),
        "classes": np.array([0, 1], np.int32),
        "corners": np.array(corners, np.float32),
        "speeds": np.array([[0.1, 0.2], [0, 0]], np.float32),
        "stars": np.array([[1, 2], [3, 4]], np.int32),
    }


def test_a_new_row_is_flipped(new_fields):
    flipped = transforms.flip(sample(), (1, 0))
    assert_allclose(flipped["corners"][0], [[0, 0.5], [1, 0.5], [0.5, 1], [0.5, 0]])
    assert_allclose(flipped["speeds"], [[0.1, -0.2], [0, 0]], atol=1e-7)
    assert flipped["stars"].tolist() == [[2, 1], [4, 3]]  # Keypoints change places.


def test_a_new_row_is_cropped(new_fields):
    cropped = transforms.move_to(sample(), Window(0, 0, 10, 10))
    assert_allclose(cropped["corners"][0], [[0, 1], [1, 1], [0.5, 0], [0.5, 2]])
    assert_allclose(cropped["speeds"], [[0.1, 0.4], [0, 0]], atol=1e-7)


def test_a_new_row_is_scaled_by_the_padding_of_a_resizer(new_fields):
    padded = PadToMultiple(20)(sample())
    assert padded["image"].shape == (20, 20, 3)
    assert_allclose(padded["corners"][0, :, 0], [0, 0.5, 0.25, 0.25])
    assert_allclose(padded["speeds"][0], [0.05, 0.2])


def test_a_new_row_is_dropped_with_its_object(new_fields):
    kept = keep_objects(sample(), np.array([False, True]))
    assert kept["stars"].tolist() == [[3, 4]]


def test_a_new_row_is_padded(new_fields):
    with_it = PadToMultiple(1)(sample())
    without = {k: v for k, v in with_it.items() if k != "corners"}
    names = ("corners", "speeds", "stars")
    batch = collate.Collate(2, 3, fields=names)([with_it, without])
    corners = batch.groundtruth.corners
    assert (corners.shape, corners.dtype) == ((2, 3, 4, 2), np.dtype("float32"))
    assert_allclose(corners[0, :2], with_it["corners"])
    assert (corners[0, 2] == -1).all()
    assert (corners[1, :2] == 0.5).all()
    assert batch.groundtruth.stars[0].tolist() == [[1, 2], [3, 4], [0, 0]]


def test_a_new_row_is_asked_for_by_its_option(new_fields, monkeypatch):
    asked = dataclasses.replace(STARS, asked_by="load_stars")
    monkeypatch.setitem(FIELDS, "stars", asked)
    assert fields.asked_by("load_stars") == ("stars",)
    assert fields.loaded_fields({"stars", "speeds"}) == ["stars"]
    assert CORNERS.asked_by is AskedBy.NOTHING
