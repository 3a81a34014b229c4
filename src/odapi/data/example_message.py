"""The messages of tf.Example, described in code: no TensorFlow, no generated file.

Source: the field numbers of tensorflow/core/example/{example,feature}.proto.
"""

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "odapi.example"
_TYPES = descriptor_pb2.FieldDescriptorProto


@functools.lru_cache(maxsize=1)
def example_class() -> Any:
    """Returns the class of the message tf.Example."""
    # A pool of our own: TensorFlow describes the same messages in the default one.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{_PACKAGE}.Example")
    )


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
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _field(entry, "key", 1, _TYPES.TYPE_STRING)
    _field(entry, "value", 2, _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.Feature")
    of = f".{_PACKAGE}.Features.FeatureEntry"
    _field(features, "feature", 1, _TYPES.TYPE_MESSAGE, of, repeated=True)
    example = file.message_type.add(name="Example")
    _field(example, "features", 1, _TYPES.TYPE_MESSAGE, f".{_PACKAGE}.Features")
    return file


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
