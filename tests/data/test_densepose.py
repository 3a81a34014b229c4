"""DensePose points and motion: how they are read, and how they move, by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from odapi.data.augment import transforms
from odapi.data.image.resize import FixedShape, KeepAspectRatio
from odapi.data.loader.collate import Collate
from odapi.data.tfrecord.example import read_example
from odapi.data.tfrecord.example_writer import write_densepose_and_motion
from odapi.data.tfrecord.feature_values import ExampleError
from odapi.data.tfrecord.protos import example_pb2
from odapi.fields import FIELDS, asked_by

DENSEPOSE_KEYS = asked_by("load_dense_pose")
MOTION_KEYS = ("temporal_offsets", "track_match_flags")
SIDES = ("ymin", "xmin", "ymax", "xmax")
DENSEPOSE, OFFSET = "image/object/densepose/", "image/object/temporal_offset/"


def example(**lists):
    """Features of two objects, and others by the name after `image/object/`."""
    message = example_pb2.Example()
    features = message.features.feature
    for side, value in zip(SIDES, (0.1, 0.1, 0.9, 0.9), strict=True):
        features[f"image/object/bbox/{side}"].float_list.value.extend([value] * 2)
    for name, values in lists.items():
        feature = features[f"image/object/{name}"]
        kind = feature.int64_list if isinstance(values[0], int) else feature.float_list
        kind.value.extend(values)
    return features


def densepose(num=(2, 1), parts=(3, 5, 0), **sides):
    points = {"y": (0.1, 0.2, 0.3), "x": (0.4, 0.5, 0.6), "v": (0.0, 0.1, 0.2)}
    points |= {"u": (0.7, 0.8, 0.9), **sides}
    lists = {f"densepose/{side}": list(values) for side, values in points.items()}
    return example(
        **{"densepose/num": list(num), "densepose/part_index": list(parts)}, **lists
    )


def sample_of(**fields):
    return {
        "image": np.zeros((8, 16, 3), np.uint8),
        "boxes": np.array([[0.0, 0.0, 1.0, 1.0]], np.float32),
        "classes": np.zeros(1, np.int32),
        **fields,
    }


def points_of(*points):
    """One object with points `(part, y, x, v, u)`."""
    found = {key: FIELDS[key].missing_values(1) for key in DENSEPOSE_KEYS}
    count = len(points)
    found["densepose_num_points"][0] = count
    for row, (part, *rest) in enumerate(points):
        found["densepose_part_ids"][0, row] = part
        found["densepose_points"][0, row] = rest
    return found


def test_points_are_rows_of_their_objects():
    objects = read_example(densepose()).objects
    assert objects["densepose_num_points"].tolist() == [2, 1]
    parts, points = objects["densepose_part_ids"], objects["densepose_points"]
    assert parts.shape == (2, 336) and points.shape == (2, 336, 4)
    assert parts[:, :3].tolist() == [[3, 5, 0], [0, 0, 0]]
    assert_allclose(points[0, 1], [0.2, 0.5, 0.1, 0.8])
    assert_allclose(points[1, 0], [0.3, 0.6, 0.2, 0.9])
    assert (points[1, 1:] == 0).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num": (2, 1, 0)}, "densepose/num: 3 values for 2"),
        ({"num": (2, 2)}, "densepose/part_index: 3 values for 4"),
        ({"num": (337, 1)}, "0 to 336"),
        ({"num": (-1, 1)}, "0 to 336"),
        ({"u": (0.5,)}, "densepose/u: 1 value for 3"),
    ],
)
def test_lists_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ExampleError, match=words):
        read_example(densepose(**changes))


@pytest.mark.parametrize(
    ("lists", "flags"),
    [
        ({}, [True, True]),
        ({"temporal_offset/known": [0, 1]}, [False, True]),
        ({"temporal_offset/y": [float("nan"), 0.5]}, [False, True]),
    ],
)
def test_motion_is_read(lists, flags):
    given = {"temporal_offset/y": [0.25, 0.5], "temporal_offset/x": [0.0, -0.5]}
    objects = read_example(example(**(given | lists))).objects
    assert objects["track_match_flags"].tolist() == flags
    expected = np.array([[0.25, 0.0], [0.5, -0.5]]) * np.array(flags)[:, None]
    assert_array_equal(objects["temporal_offsets"], expected)


def test_an_example_without_any_says_nothing_of_them():
    keys = {*DENSEPOSE_KEYS, *MOTION_KEYS}
    assert not keys & read_example(example()).objects.keys()
    with pytest.raises(ExampleError, match="temporal_offset"):
        read_example(
            example(**{"temporal_offset/y": [0.5], "temporal_offset/x": [0.5]})
        )


@pytest.mark.parametrize(
    ("change", "point", "offset"),
    [
        # Positions are mirrored, offsets change their sign alone.
        (transforms.flip, (0.25, 0.25), (0.5, -0.125)),
        (transforms.flip_rows, (0.75, 0.75), (-0.5, 0.125)),
        # Counter-clockwise: what was on the right is at the top.
        (transforms.rotate90, (0.25, 0.25), (-0.125, 0.5)),
        # The right half: positions are shifted and scaled, offsets scaled.
        (
            lambda s: transforms.move_to(s, transforms.Window(0, 8, 8, 8)),
            (0.25, 0.5),
            (0.5, 0.25),
        ),
        (FixedShape(16, 16), (0.25, 0.75), (0.5, 0.125)),
        # 8 x 16 pixels at the top of 16 x 16: half of the height.
        (KeepAspectRatio(16, 16, pad_to_max=True), (0.125, 0.75), (0.25, 0.125)),
    ],
)
def test_positions_and_offsets_move_with_the_picture(change, point, offset):
    sample = sample_of(
        **points_of((1, 0.25, 0.75, 0.3, 0.4)),
        temporal_offsets=np.array([[0.5, 0.125]], np.float32),
        track_match_flags=np.array([True]),
    )
    moved = change(sample)
    assert_allclose(moved["densepose_points"][0, 0], [*point, 0.3, 0.4], atol=1e-6)
    assert_allclose(moved["temporal_offsets"], [offset], atol=1e-6)
    assert sample["densepose_points"][0, 0, 1] == 0.75  # The old one stays.


def test_points_outside_are_dropped_and_the_rest_keeps_its_order():
    sample = sample_of(
        **points_of(
            (1, -0.1, 0.5, 0, 0), (2, 0.5, 0.5, 0, 0), (3, 0.5, 1.1, 0, 0),
            (4, 1.0, 0.0, 0, 0),
        )
    )  # fmt: skip
    found = transforms.drop_outside(sample)
    assert found["densepose_num_points"].tolist() == [2]
    assert found["densepose_part_ids"][0, :2].tolist() == [2, 4]
    unclipped = transforms.drop_outside(sample, clip=False)
    assert unclipped["densepose_num_points"].tolist() == [4]


def test_what_is_written_is_read_again():
    sample = sample_of(
        **points_of((1, 0.25, 0.5, 0.125, 0.75)),
        temporal_offsets=np.array([[0.5, 0.125]], np.float32),
        track_match_flags=np.array([True]),
    )
    features = example_pb2.Example().features.feature
    write_densepose_and_motion(features, sample)
    for side, values in zip(SIDES, sample["boxes"].T, strict=True):
        features[f"image/object/bbox/{side}"].float_list.value.extend(values)
    objects = read_example(features).objects
    for key in (*DENSEPOSE_KEYS, *MOTION_KEYS):
        assert_array_equal(objects[key], sample[key])


def test_a_batch_is_padded_with_objects_without_points():
    sample = sample_of(**points_of((1, 0.5, 0.5, 0.3, 0.4)))
    sample |= {"image_id": "a", "true_size": np.array([8, 16], np.int32)}
    sample |= {"original_size": np.array([8, 16], np.int32)}
    batch = Collate(1, max_boxes=3, fields=DENSEPOSE_KEYS)([sample])
    truth = batch.groundtruth
    assert truth.densepose_num_points.tolist() == [[1, 0, 0]]
    assert truth.densepose_points.shape == (1, 3, 336, 4)
