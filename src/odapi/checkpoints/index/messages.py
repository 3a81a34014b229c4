"""Parses the protobuf messages of a checkpoint; damage raises ValueError."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from odapi.checkpoints.index.protos.tensor_bundle_pb2 import (
    BundleEntryProto,
    BundleHeaderProto,
)
from odapi.checkpoints.index.protos.trackable_object_graph_pb2 import (
    TrackableObjectGraph,
)

M = TypeVar("M", bound=Message)


def parse_header(data: bytes) -> BundleHeaderProto:
    """Returns the header of an index."""
    return _parse(BundleHeaderProto(), data)


def parse_entry(data: bytes) -> BundleEntryProto:
    """Returns the entry of one tensor: its type, shape and place."""
    return _parse(BundleEntryProto(), data)


def parse_graph(data: bytes) -> TrackableObjectGraph:
    """Returns the graph of objects."""
    return _parse(TrackableObjectGraph(), data)


def _parse(message: M, data: bytes) -> M:
    """Parses into a message.

    Raises:
        ValueError: The bytes are no such message.
    """
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"a message cannot be parsed: {error}") from error
    return message
