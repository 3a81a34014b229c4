"""Our messages of tf.Example beside TensorFlow's, in one process."""

from odapi.data.tfrecord.protos import example_pb2
from requirement import require


def filled(sequence):
    sequence.context.feature["a"].bytes_list.value.append(b"\xff")
    sequence.context.feature["b"].float_list.value.extend([1.5, -2.0])
    frames = sequence.feature_lists.feature_list["frames"]
    for number in range(3):
        frames.feature.add().int64_list.value.extend([number, -number])
    return sequence


def test_sequence_examples_are_those_of_tensorflow_byte_for_byte():
    train = require("tensorflow").train
    ours = filled(example_pb2.SequenceExample())
    theirs = filled(train.SequenceExample())
    options = {"deterministic": True}
    data = ours.SerializeToString(**options)
    assert data == theirs.SerializeToString(**options)
    assert example_pb2.SequenceExample.FromString(data) == ours
    assert train.SequenceExample.FromString(data) == theirs


def test_the_package_is_not_that_of_tensorflow():
    assert example_pb2.Example.DESCRIPTOR.full_name == "odapi.example.Example"
