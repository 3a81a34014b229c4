"""Flatbuffer tables from plain values, without code that a compiler generated."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers


@dataclasses.dataclass(frozen=True)
class Number:
    """A number with its type.

    Args:
        kind: Name of a type of flatbuffers, such as "Int8", "Uint32" or "Float32".
        value: The number.
    """

    kind: str
    value: float


class Table(dict[int, Any]):
    """A table: values by the number of their field, in the order of the schema.

    Values are `Number`s, texts, tables, and sequences of one of these.
    """


def packed(root: Table, identifier: bytes) -> bytes:
    """Returns the flatbuffer of a table.

    Args:
        root: The table.
        identifier: Of the kind of file, four bytes.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=identifier)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, fields: Mapping[int, Any]) -> int:
    # What a table refers to is written before the table.
    offsets = {
        slot: _reference(builder, value)
        for slot, value in fields.items()
        if not isinstance(value, Number)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, value in fields.items():
        if isinstance(value, Number):
            getattr(builder, f"Prepend{value.kind}Slot")(slot, value.value, None)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
    return int(builder.EndObject())


def _reference(builder: flatbuffers.Builder, value: Any) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Mapping):
        return _table(builder, value)
    return _vector(builder, value)


def _vector(builder: flatbuffers.Builder, values: Sequence[Any]) -> int:
    if values and isinstance(values[0], Number):
        builder.StartVector(4, len(values), 4)  # All vectors are of 32-bit numbers.
        for number in reversed(values):
            getattr(builder, f"Prepend{number.kind}")(number.value)
        return int(builder.EndVector())
    offsets = [_reference(builder, value) for value in values]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
