"""Access to single features of tf.Example messages."""

import datetime
from typing import Any

from odapi.data.tfrecord.protos import example_pb2

DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
DATE, SOURCE_ID = "image/date_captured", "image/source_id"
LOCATION, SEQUENCE, FRAME = "image/location", "image/seq_id", "image/seq_frame_num"
_KINDS = {float: "float_list", int: "int64_list", bytes: "bytes_list"}


def parse(data: bytes) -> Any:
    """Parses a serialized tf.Example.

    Raises:
        ValueError: It cannot be parsed.
    """
    from google.protobuf.message import DecodeError

    try:
        return example_pb2.Example.FromString(data)
    except DecodeError as error:
        raise ValueError(f"not a tf.Example: {error}") from error


def empty() -> Any:
    """Returns an empty tf.Example message."""
    return example_pb2.Example()


def copy(source: Any, target: Any) -> None:
    """Copies all features to another message; much faster than value by value."""
    for name, feature in source.features.feature.items():
        target.features.feature[name].CopyFrom(feature)


def values(example: Any, name: str) -> list[Any]:
    """Returns the values of a feature; [] if it is missing."""
    features = example.features.feature
    if name not in features:  # Reading it would add it.
        return []
    kind = features[name].WhichOneof("kind")
    return list(getattr(features[name], kind).value) if kind else []


def text(example: Any, name: str) -> str:
    """Returns the first value of a feature as text; "" if it is missing."""
    found = values(example, name)
    return found[0].decode("utf-8", "replace") if found else ""


def put(example: Any, name: str, found: Any, kind: type) -> None:
    """Sets a feature; `kind` is `float`, `int` or `bytes`."""
    feature = example.features.feature[name]
    feature.Clear()
    target = getattr(feature, _KINDS[kind]).value
    target.extend(v.encode() if isinstance(v, str) else kind(v) for v in found)


def date_captured(example: Any) -> datetime.datetime:
    """Returns the capture date of an image.

    Raises:
        ValueError: It is missing or not in the form "2010-08-07 01:04:14".
    """
    return datetime.datetime.strptime(text(example, DATE), DATE_FORMAT)
