"""Read-only view of a config message whose float fields read as they were written.

A `float` of the schema has 32 bits: 0.3 in a config reads as 0.30000001192092896.
A view gives 0.3. Nested messages are views, too; repeated fields are tuples and maps
are dictionaries.

    >>> from odapi.config.load import load_config
    >>> config = load_config("train_config { bias_grad_multiplier: 0.3 }")
    >>> view(config).train_config.bias_grad_multiplier
    0.3
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from odapi.config import schema

_DIGITS = 7  # The eighth digit of a 32-bit float is noise.
_record: contextvars.ContextVar[set[str] | None] = contextvars.ContextVar(
    "fields that were read", default=None
)


def view(message: Any) -> Any:
    """Returns a view of `message`; a view and any other value are returned as is."""
    return View(message) if isinstance(message, Message) else message


@contextlib.contextmanager
def record_reads() -> Iterator[set[str]]:
    """Collects the names "Message.field" of all fields that are read through views."""
    names: set[str] = set()
    token = _record.set(names)
    try:
        yield names
    finally:
        _record.reset(token)


class View:
    """Read-only view of one message; see the module's docstring.

    Fields are attributes. `HasField`, `WhichOneof`, `DESCRIPTOR` and the enums of the
    message are those of the message; `message` is the message itself.
    """

    __slots__ = ("message",)

    def __init__(self, message: Message):
        object.__setattr__(self, "message", message)

    def __getattr__(self, name: str) -> Any:
        field = self.message.DESCRIPTOR.fields_by_name.get(name)
        value = getattr(self.message, name)
        return value if field is None else _read(field, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} cannot be set: a view is read-only")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and self.message == other.message

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"View({self.message!r})"

    def HasField(self, name: str) -> bool:  # noqa: N802
        """Returns True if the field is set."""
        _note(self.message.DESCRIPTOR.fields_by_name.get(name))
        return self.message.HasField(name)

    def WhichOneof(self, name: str) -> str | None:  # noqa: N802
        """Returns the name of the field that is set in a oneof, or None."""
        return self.message.WhichOneof(name)

    @property
    def Extensions(self) -> "_Extensions":  # noqa: N802
        """Values of extension fields, by their descriptor."""
        return _Extensions(self.message)

    def without(self, *names: str) -> "View":
        """Returns a view of the message as if these fields were not set."""
        copy = type(self.message)()
        copy.CopyFrom(self.message)
        for name in names:
            copy.ClearField(name)
        return View(copy)

    def enum_name(self, name: str) -> str:
        """Returns the name of the value of an enum field, in lower case."""
        _note(self.message.DESCRIPTOR.fields_by_name[name])
        return schema.enum_name(self.message, name).lower()


class _Extensions:
    def __init__(self, message: Any):
        self._message = message

    def __getitem__(self, field: Any) -> Any:
        return view(self._message.Extensions[field])


def _read(field: schema.Field, value: Any) -> Any:
    _note(field)
    convert = _converter(field)
    if schema.is_map(field):
        convert = _converter(field.message_type.fields_by_name["value"])
        return {key: convert(value[key]) for key in value}
    if field.is_repeated:
        return tuple(convert(element) for element in value)
    return convert(value)


def _converter(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return decimal
    return View if schema.is_message(field) else _same


def decimal(value: float) -> float:
    """Returns a number without the noise of 32-bit floats: 0.1 for 0.10000000149."""
    return float(f"{value:.{_DIGITS}g}")


def _same(value: Any) -> Any:
    return value


def _note(field: FieldDescriptor | None) -> None:
    names = _record.get()
    if names is not None and field is not None:
        names.add(schema.key(field))
