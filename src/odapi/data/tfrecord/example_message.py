"""The messages of tf.Example and tf.SequenceExample, described in code.

No TensorFlow, no generated file.

Source: the field numbers of tensorflow/core/example/{example,feature}.proto.
"""

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "odapi.example"
_TYPES = descriptor_pb2.FieldDescriptorProto


def example_class() -> Any:
    """Returns the class of the message tf.Example."""
    return _class("Example")


def sequence_class() -> Any:
    """Returns the class of the message tf.SequenceExample."""
    return _class("SequenceExample")


@functools.lru_cache(maxsize=2)
def _class(name: str) -> Any:
    return message_factory.GetMessageClass(
        _pool().FindMessageTypeByName(f"{_PACKAGE}.{name}")
    )


@functools.lru_cache(maxsize=1)
def _pool() -> descriptor_pool.DescriptorPool:
    # A pool of our own: TensorFlow describes the same messages in the default one.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return pool


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="odapi/example.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, kind in (
        ("BytesList", _TYPES.TYPE_BYTES),
        ("FloatList", _TYPES.TYPE_FLOAT),
        ("Int64List", _TYPES.TYPE_INT64),
    ):
        _field(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), 1):
        of = f".{_PACKAGE}.{name.title().replace('_', '')}"
        field = _field(feature, name, number, _TYPES.TYPE_MESSAGE, of)
        field.oneof_index = 0
    frames = file.message_type.add(name="FeatureList")
    of = f".{_PACKAGE}.Feature"
    _field(frames, "feature", 1, _TYPES.TYPE_MESSAGE, of, repeated=True)
    _map(file, "Features", "feature", "Feature")
    _map(file, "FeatureLists", "feature_list", "FeatureList")
    example = file.message_type.add(name="Example")
    _field(example, "features", 1, _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.Features")
    sequence = file.message_type.add(name="SequenceExample")
    _field(sequence, "context", 1, _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.Features")
    of = f".{_PACKAGE}.FeatureLists"
    _field(sequence, "feature_lists", 2, _TYPES.TYPE_MESSAGE, of)
    return file


def _map(
    file: descriptor_pb2.FileDescriptorProto, name: str, field: str, value: str
) -> None:
    """Adds a message with one field: a map from text to messages."""
    message = file.message_type.add(name=name)
    entry_name = f"{field.title().replace('_', '')}Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    _field(entry, "key", 1, _TYPES.TYPE_STRING)
    _field(entry, "value", 2, _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.{value}")
    of = f".{_PACKAGE}.{name}.{entry_name}"
    _field(message, field, 1, _TYPES.TYPE_MESSAGE, of, repeated=True)


def _field(
    message: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: Any,
    type_name: str = "",
    repeated: bool = False,
) -> descriptor_pb2.FieldDescriptorProto:
    field = message.field.add(name=name, number=number, type=kind)
    field.label = _TYPES.LABEL_REPEATED if repeated else _TYPES.LABEL_OPTIONAL
    if type_name:
        field.type_name = type_name
    return field
