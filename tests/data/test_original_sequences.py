"""Sequences and mixtures against the numbers of the original's own tests."""

import base64
import collections
import json

import numpy as np
import pytest

from odapi.data.loader.order import Order
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.tfrecord.protos import example_pb2
from odapi.data.tfrecord.records import write_record
from odapi.labels import label_map_of


def _fill(feature, values):
    for value in values:
        if isinstance(value, float):
            feature.float_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            text = isinstance(value, str)
            data = value.encode() if text else base64.b64decode(value["base64"])
            feature.bytes_list.value.append(data)


def _message(inputs):
    message = example_pb2.SequenceExample()
    for name, values in inputs["context"].items():
        _fill(message.context.feature[name], values)
    for name, frames in inputs["sequence"].items():
        for values in frames:
            _fill(message.feature_lists.feature_list[name].feature.add(), values)
    return message.SerializeToString()


@pytest.mark.parametrize("number", range(4))
def test_frames_are_those_that_the_original_decodes(shared, tmp_path, number):
    path = shared / "original_tests" / "tf_sequence_example_decoder.json"
    case = json.loads(path.read_text())["cases"][number]
    with open(tmp_path / "a.record", "wb") as file:
        write_record(file, _message(case["inputs"]))
    source = open_tfrecord(
        tmp_path / "a.record",
        label_map_of(["dog", "cat"]),
        drop_unknown=True,  # The fox, whose class is -1 in the original.
        sequences=True,
    )
    expected = case["expected"]
    assert source.image_ids == expected["source_id"]
    for frame, sample in enumerate(source[i] for i in range(len(source))):
        count = expected["num_groundtruth_boxes"][frame]
        empty = {"values": [np.zeros((0, 4)), np.zeros(0)]}
        boxes, classes = (
            expected[f"groundtruth_{name}"][frame][:count] if count else empty
            for name in ("boxes", "classes")
        )
        known = [i for i in range(count) if classes[i] > 0]
        assert sample["classes"].tolist() == [classes[i] - 1 for i in known]
        given = np.array([boxes[i] for i in known]).reshape(-1, 4)
        np.testing.assert_allclose(sample["boxes"], given, atol=1e-6)
        size = expected["original_image_spatial_shape"]
        assert list(sample["image"].shape[:2]) == size
        bank = expected.get("context_features")
        if bank is not None:
            np.testing.assert_allclose(sample["context_features"], bank)
        ids = expected.get("context_features_image_id_list")
        if ids is not None:
            assert sample["context_image_ids"] == ids


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        # Two files of two samples; the original's shares of 1000 are within 0.05.
        ((0.5, 0.5), (0.25, 0.25, 0.25, 0.25)),
        ((1.0, 1.0), (0.25, 0.25, 0.25, 0.25)),
        ((0.1, 0.9), (0.05, 0.05, 0.45, 0.45)),
        ((1.0, 0.0), (0.5, 0.5, 0.0, 0.0)),
    ],
)
def test_samples_have_the_shares_of_the_original(weights, shares):
    indices = Order(shuffle=False, parts=(2, 2), weights=weights).indices(4)
    found = collections.Counter(indices[position] for position in range(1000))
    assert [found[i] / 1000 for i in range(4)] == pytest.approx(shares, abs=1e-9)
