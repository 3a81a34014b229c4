"""Reading of tf.SequenceExamples: frames of a video and their common context.

Each frame is converted to a tf.Example, so that everything that applies to those
applies to frames, too.

Source: data_decoders/tf_sequence_example_decoder.py of the TF Object Detection API.
"""

from collections.abc import Iterable
from typing import Any

from odapi.data import context_features
from odapi.data.tfrecord.feature_values import ExampleError
from odapi.data.tfrecord.protos import example_pb2
from odapi.wording import counted

_SHOWN = 12  # Keys that an error names.
IMAGE, ANNOTATED = "image/encoded", "region/is_annotated"
# Feature list of a sequence -> feature of a frame.
_OF_FRAMES = {
    IMAGE: IMAGE,
    "image/source_id": "image/source_id",
    "image/filename": "image/filename",
    "region/bbox/ymin": "image/object/bbox/ymin",
    "region/bbox/xmin": "image/object/bbox/xmin",
    "region/bbox/ymax": "image/object/bbox/ymax",
    "region/bbox/xmax": "image/object/bbox/xmax",
    "region/label/string": "image/object/class/text",
    "region/label/index": "image/object/class/label",
    "region/label/confidence": "image/object/weight",
}
# Context features that apply to all frames.
_SHARED = (
    "image/format", "image/height", "image/width",
    context_features.VALUES, context_features.LENGTH, context_features.IDS,
)  # fmt: skip


def keys_there(features: Iterable[str]) -> str:
    """Returns the end of an error about a missing key: those that are there."""
    keys = sorted(features)
    if not keys:
        return "; it has no keys"
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"; its keys are {', '.join(keys[:_SHOWN])}{more}"


def parse_sequence(data: bytes) -> Any:
    """Returns the message of a serialized tf.SequenceExample.

    Raises:
        ExampleError: The bytes are not a tf.SequenceExample, or one without frames.
    """
    from google.protobuf.message import DecodeError

    try:
        message = example_pb2.SequenceExample.FromString(data)
    except DecodeError as error:
        raise ExampleError(f"not a tf.SequenceExample: {error}") from error
    lists = message.feature_lists.feature_list
    if IMAGE not in lists:
        if IMAGE in message.context.feature:
            raise ExampleError("is a tf.Example, not a tf.SequenceExample")
        raise ExampleError(f"no {IMAGE} of frames{keys_there(lists)}")
    count = len(lists[IMAGE].feature)
    for name in (*_OF_FRAMES, ANNOTATED):
        entries = len(lists[name].feature) if name in lists else count
        # An empty list means unknown for all frames.
        if entries not in (0, count):
            raise ExampleError(
                f"{name}: {counted(entries, 'entry', 'entries')} for "
                f"{counted(count, 'frame')}"
            )
    return message


def is_sequence(data: bytes) -> bool:
    """Returns whether bytes are a tf.SequenceExample with frames."""
    try:
        return bool(num_frames(parse_sequence(data)))
    except ExampleError:
        return False


def num_frames(message: Any) -> int:
    """Returns the number of frames of a sequence."""
    return len(message.feature_lists.feature_list[IMAGE].feature)


def is_annotated(message: Any, frame: int) -> bool:
    """Returns whether a frame was annotated; True if unknown."""
    lists = message.feature_lists.feature_list
    if ANNOTATED not in lists or not lists[ANNOTATED].feature:
        return True
    values = lists[ANNOTATED].feature[frame].int64_list.value
    return bool(values and values[0])


def frame_example(message: Any, frame: int) -> Any:
    """Returns a frame as a tf.Example message.

    Raises:
        ExampleError: The frame does not exist.
    """
    if not 0 <= frame < num_frames(message):
        raise ExampleError(f"no frame {frame}; there are {num_frames(message)}")
    lists = message.feature_lists.feature_list
    example = example_pb2.Example()
    features = example.features.feature
    for name, of_frame in _OF_FRAMES.items():
        if name in lists and lists[name].feature:
            features[of_frame].CopyFrom(lists[name].feature[frame])
    for name in _SHARED:
        if name in message.context.feature:
            features[name].CopyFrom(message.context.feature[name])
    return example
