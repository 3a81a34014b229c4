"""Schema of the config language, from its descriptors: fields, kinds, paths."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from odapi.config.protos import options_pb2, pipeline_pb2

# Descriptors of messages and fields; the stubs of protobuf call each part optional.
Descriptor = Any
Field = Any

ROOT: Descriptor = pipeline_pb2.TrainEvalPipelineConfig.DESCRIPTOR
OPTIONS: Field = options_pb2.options  # Our extension of ROOT.

_KINDS = {
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "text in quotes",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
    FieldDescriptor.CPPTYPE_INT32: "a whole number",
    FieldDescriptor.CPPTYPE_INT64: "a whole number",
    FieldDescriptor.CPPTYPE_UINT32: "a whole number, 0 or more",
    FieldDescriptor.CPPTYPE_UINT64: "a whole number, 0 or more",
}


def short(descriptor: Any) -> str:
    """Returns the name of a message or enum without its package."""
    return descriptor.full_name.removeprefix("object_detection.protos.").removeprefix(
        "odapi."
    )


def key(field: Field) -> str:
    """Returns "Message.field", the name that the tables of checks use."""
    return f"{short(field.containing_type)}.{field.name}"


def fields(descriptor: Descriptor) -> dict[str, Field]:
    """Returns the fields of a message by name; `options` of the root is ours."""
    found = {f.name: f for f in descriptor.fields}
    if descriptor is ROOT:
        found["options"] = OPTIONS
    return found


def is_message(field: Field) -> bool:
    """Returns True if the field holds one or several messages."""
    return field.message_type is not None


def is_map(field: Field) -> bool:
    """Returns True if the field is a map."""
    return is_message(field) and field.message_type.GetOptions().map_entry


def enum_name(message: Any, name: str) -> str:
    """Returns the name of the value of the enum field `name`."""
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    return enum.values_by_number[getattr(message, name)].name


def join(path: str, name: str) -> str:
    """Returns the path of a field of the message at `path`; "" is the root."""
    return f"{path}.{name}" if path else name


def elements(path: str, owner: Any, field: Field) -> Iterator[tuple[str, Any]]:
    """Yields (path, message) of each message that a message field holds.

    A map holds none here: its entries have no path in the language.
    """
    if is_map(field):
        return
    held = value(owner, field)
    if not field.is_repeated:
        yield path, held
        return
    for index, element in enumerate(held):
        yield f"{path}[{index}]", element


def kind(field: Field) -> str:
    """Returns a description of the values that the field takes."""
    if is_message(field):
        return f"a block {short(field.message_type)} {{ ... }}"
    if field.enum_type is not None:
        return "one of " + ", ".join(v.name for v in field.enum_type.values)
    return _KINDS[field.cpp_type]


def default(field: Field) -> Any:
    """Returns the default of a scalar; an enum's as its name."""
    if field.enum_type is not None:
        return field.enum_type.values_by_number[field.default_value].name
    return field.default_value


def is_set(message: Any, field: Field) -> bool:
    """Returns True if the field is written in the config, whatever its value."""
    if field.is_repeated:
        return len(value(message, field)) > 0
    if field.is_extension:
        return message.HasExtension(field)
    return message.HasField(field.name)


def value(message: Any, field: Field) -> Any:
    """Returns the value of the field in `message`."""
    if field.is_extension:
        return message.Extensions[field]
    return getattr(message, field.name)


def clear(message: Any, field: Field) -> None:
    """Clears the field of `message`."""
    if field.is_extension:
        message.ClearExtension(field)
    else:
        message.ClearField(field.name)


def set_fields(message: Any) -> Iterator[Field]:
    """Yields the fields that are written in `message`, by number."""
    found = [field for field, _ in message.ListFields()]
    return iter(sorted(found, key=lambda field: field.number))


def walk(message: Any, path: str = "") -> Iterator[tuple[str, Any, Field]]:
    """Yields (path, owner, field) of every field that is written, parents first.

    A repeated message is visited element by element, as `name[0]`; a map is
    visited as a whole.
    """
    for field in set_fields(message):
        here = join(path, field.name)
        yield here, message, field
        if is_message(field):
            for place, element in elements(here, message, field):
                yield from walk(element, place)


def paths_of(name: str, descriptor: Descriptor = ROOT, limit: int = 3) -> list[str]:
    """Returns the shortest paths under `descriptor` that end in a field `name`."""
    found: list[str] = []
    level: list[tuple[str, Descriptor]] = [("", descriptor)]
    while level and len(found) < limit:
        below = []
        for path, message in level:
            for field in fields(message).values():
                here = f"{path}{field.name}"
                if field.name == name:
                    found.append(here)
                if is_message(field) and not is_map(field):
                    below.append((f"{here}.", field.message_type))
        level = below
    return found[:limit]
