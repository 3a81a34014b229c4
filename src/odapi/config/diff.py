"""Differences between two configs, field by field; a config with its defaults."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf import text_format

from odapi.config import schema

_UNSET = "-"


@dataclasses.dataclass(frozen=True)
class Difference:
    """A field that two configs have different values for, as text."""

    path: str
    left: str
    right: str


def diff(left: Any, right: Any) -> list[Difference]:
    """Returns the fields in which two configs ask for different things.

    Format, comments and the order of fields do not count, nor whether a default
    is written or left out; the order of repeated fields does.
    """
    rows = diff_all([left, right])
    return [Difference(path, *values) for path, values in rows.items()]


def diff_all(configs: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """Returns the values, as text, of all fields that not all configs agree on.

    Values count as in `diff`; "-" stands for a field that a config does not have.

    Args:
        configs: Two or more configs; each value of the result has as many elements.
    """
    found = [leaves(config) for config in configs]
    rows = {}
    for path in dict.fromkeys(path for values in found for path in values):
        default = next(v[path].default for v in found if path in v)
        texts = tuple(_shown(values.get(path), default) for values in found)
        absent = [values for values in found if path not in values]
        # An empty block in one config may have fields in the others.
        is_block = absent and all(_has_fields(path, values) for values in absent)
        if len(set(texts)) > 1 and not is_block:
            rows[path] = texts
    return rows


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A value at the end of a path, and the default that stands for it."""

    text: str
    default: str | None


def leaves(message: Any, path: str = "") -> dict[str, Leaf]:
    """Returns all values of a message by their path.

    A message without fields of its own counts as the value "{}"; a repeated
    number or text is one value; a map has one for each key.
    """
    found: dict[str, Leaf] = {}
    for field in schema.set_fields(message):
        here = f"{path}.{field.name}" if path else field.name
        held = schema.value(message, field)
        if schema.is_map(field):
            found |= _map_leaves(field, held, here)
        elif not schema.is_message(field):
            default = None if field.is_repeated else _text(field, field.default_value)
            found[here] = Leaf(_text(field, held), default)
        elif field.is_repeated:
            for index, element in enumerate(held):
                found |= _message_leaves(element, f"{here}[{index}]")
        else:
            found |= _message_leaves(held, here)
    return found


def with_defaults(message: Any) -> str:
    """Returns a config as text with the defaults of all blocks that it has.

    Lines that the config does not have end in `# default`.
    """
    return "\n".join(_lines(message, "")) + "\n"


def _message_leaves(message: Any, path: str) -> dict[str, Leaf]:
    # Which member of a oneof is there matters even where it has no fields.
    return leaves(message, path) or {path: Leaf("{}", None)}


def _map_leaves(field: schema.Field, held: Any, path: str) -> dict[str, Leaf]:
    kind = field.message_type.fields_by_name["value"]
    found: dict[str, Leaf] = {}
    for name in sorted(held):
        if schema.is_message(kind):
            found |= _message_leaves(held[name], f"{path}[{name}]")
        else:
            found[f"{path}[{name}]"] = Leaf(_text(kind, held[name]), None)
    return found


def _shown(leaf: Leaf | None, default: str | None) -> str:
    if leaf is not None:
        return leaf.text
    return default if default is not None else _UNSET


def _has_fields(path: str, found: dict[str, Leaf]) -> bool:
    """Returns True if a block that is empty in one config is present in the other."""
    return any(other.startswith(f"{path}.") for other in found)


def _text(field: schema.Field, value: Any) -> str:
    if field.is_repeated:
        return "[" + ", ".join(_single(field, item) for item in value) + "]"
    return _single(field, value)


def _single(field: schema.Field, value: Any) -> str:
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.7g}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _lines(message: Any, indent: str) -> Iterator[str]:
    for field in schema.fields(message.DESCRIPTOR).values():
        name = f"[{field.full_name}]" if field.is_extension else field.name
        if not schema.is_set(message, field):
            if not (field.is_repeated or schema.is_message(field)):
                if field.containing_oneof is None:
                    default = _text(field, field.default_value)
                    yield f"{indent}{name}: {default}  # default"
        elif schema.is_message(field) and not schema.is_map(field):
            held = schema.value(message, field)
            for element in held if field.is_repeated else [held]:
                yield f"{indent}{name} {{"
                yield from _lines(element, f"{indent}  ")
                yield f"{indent}}}"
        else:
            yield from _plain(message, field, indent)


def _plain(message: Any, field: schema.Field, indent: str) -> Iterator[str]:
    """Lines of a field that is a value, a list of values or a map."""
    alone = type(message)()
    held = schema.value(message, field)
    if schema.is_map(field):
        getattr(alone, field.name).MergeFrom(held)
    elif field.is_repeated:
        getattr(alone, field.name).extend(held)
    else:
        setattr(alone, field.name, held)
    text = text_format.MessageToString(alone, as_utf8=True)
    yield from (indent + line for line in text.splitlines())
