"""Writer of tf.SequenceExamples of consecutive images, in the original's format."""

from collections.abc import Iterator, Sequence
from typing import Any

from odapi.data.tfrecord.protos import example_pb2
from odapi.tools import records

# Feature of a tf.Example -> feature list of a sequence.
_FRAME_FEATURES = {
    "image/encoded": "image/encoded",
    records.SOURCE_ID: "image/source_id",
    "context_features_idx": "image/context_features_idx",
    records.DATE: "image/date_captured",
    "image/unix_time": "image/unix_time",
    records.LOCATION: "image/location",
    "image/object/bbox/xmin": "region/bbox/xmin",
    "image/object/bbox/xmax": "region/bbox/xmax",
    "image/object/bbox/ymin": "region/bbox/ymin",
    "image/object/bbox/ymax": "region/bbox/ymax",
    "image/object/class/label": "region/label/index",
    "image/object/class/text": "region/label/string",
}


def clips(
    key: str,
    examples: Sequence[Any],
    shared: Any,
    max_frames: int = 0,
) -> Iterator[bytes]:
    """Yields serialized tf.SequenceExamples of consecutive images.

    Args:
        key: Prefix of their names; a number follows.
        examples: Ordered tf.Example messages.
        shared: A tf.Example message with the features that all frames share.
        max_frames: Maximum number of frames per sequence; 0: any number.
    """
    step = max_frames or len(examples)
    for number, start in enumerate(range(0, len(examples), step)):
        frames = examples[start : start + step]
        sequence = example_pb2.SequenceExample()
        first = frames[0]
        about = {
            "clip/media_id": ([f"{key}_{number}"], bytes),
            "clip/frames": ([len(frames)], int),
            "clip/start/timestamp": ([0], int),
            "clip/end/timestamp": ([len(frames)], int),
            "image/format": (["JPG"], bytes),
            "image/channels": ([3], int),
            "image/height": (records.values(first, "image/height"), int),
            "image/width": (records.values(first, "image/width"), int),
        }
        context = _Context(sequence.context)
        records.copy(shared, context)
        for name, (values, kind) in about.items():
            records.put(context, name, values, kind)
        _add_frames(sequence.feature_lists.feature_list, frames)
        yield sequence.SerializeToString()


class _Context:
    """Gives the context of a sequence the interface of a tf.Example."""

    def __init__(self, features: Any):
        self.features = features


def _add_frames(lists: Any, frames: Sequence[Any]) -> None:
    for index, frame in enumerate(frames):
        features = frame.features.feature
        for name, list_name in _FRAME_FEATURES.items():
            feature = lists[list_name].feature.add()
            if name in features:
                feature.CopyFrom(features[name])
        lists["image/timestamp"].feature.add().int64_list.value.append(index)
        lists["region/is_annotated"].feature.add().int64_list.value.append(1)
