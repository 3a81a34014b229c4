"""Overrides of config fields, such as `train_config.batch_size=8`.

Our own parser is kept since no library checks paths and values against a protobuf
schema and suggests the closest name.

A path names fields from the top of the config, joined by dots; elements of a
repeated field by `[0]` or `.0`, entries of a map by `[key]` or `.key`. `options`
is short for our own `[odapi.options]`. A value is what the config file would
have after the colon; text needs no quotes. An empty value clears the field.
"""

import re
from collections.abc import Sequence
from typing import Any

from google.protobuf import message_factory

from odapi.config import parse, schema
from odapi.errors import ConfigError, did_you_mean

_SEGMENT = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")
_WORDS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def apply_overrides(config: Any, overrides: Sequence[str]) -> None:
    """Changes `config` in place by overrides "path=value", in order.

    Raises:
        ConfigError: A path names no field, or a value does not fit; the place
            is the override itself.
    """
    if isinstance(overrides, str):
        overrides = [overrides]
    for override in overrides or ():
        path, equals, text = override.partition("=")
        place = f"--set {override}"
        if not equals:
            raise ConfigError(place, "has no '='", hint="write PATH=VALUE")
        segments = _split(path.strip(), place)
        _Setter(place, text.strip()).descend(config, segments)


def _split(path: str, place: str) -> list[str]:
    bare = path.replace("[odapi.options]", "options", 1)
    segments = [name or index for name, index in _SEGMENT.findall(bare)]
    if not segments or "" in segments or re.search(r"^[.\[]|\.\.|\.$", bare):
        raise ConfigError(
            place, f"{path!r} is not a path", hint="write names joined by dots"
        )
    return segments


class _Setter:
    """Sets one path of a config; knows the override for its messages."""

    def __init__(self, place: str, text: str):
        self.place = place
        self.text = text

    def fail(self, problem: str, hint: str = "") -> ConfigError:
        return ConfigError(self.place, problem, hint=hint)

    def descend(self, message: Any, segments: list[str]) -> None:
        """Follows the path below `message` and sets its end."""
        field = self.field(message, segments[0])
        rest = segments[1:]
        if schema.is_map(field):
            self.set_map(schema.value(message, field), field, rest)
        elif field.is_repeated:
            self.set_repeated(message, field, rest)
        elif not rest:
            self.set_single(message, field)
        elif not schema.is_message(field):
            raise self.fail(f"{field.name} takes {schema.kind(field)}, it has no parts")
        else:
            self.refuse_silent_switch(message, field, rest)
            child = schema.value(message, field)
            child.SetInParent()
            self.descend(child, rest)

    def field(self, message: Any, name: str) -> schema.Field:
        known = schema.fields(message.DESCRIPTOR)
        if name in known:
            return known[name]
        shown = schema.short(message.DESCRIPTOR)
        problem = f"{shown} has no field {name!r}"
        if message.DESCRIPTOR is schema.ROOT:
            elsewhere = schema.paths_of(name)
            if elsewhere:
                raise self.fail(problem, f"there is {' and '.join(elsewhere)}")
        close = did_you_mean(name, known)
        if close or not known:
            raise self.fail(problem, close)
        raise self.fail(problem, f"its fields are {', '.join(sorted(known))}")

    def refuse_silent_switch(
        self, message: Any, field: schema.Field, rest: list[str]
    ) -> None:
        """Refuses to enter a member of a oneof while another one is set.

        Protobuf would drop the other without a word: `model.ssd.num_classes=3`
        would empty a Faster R-CNN config.
        """
        oneof = field.containing_oneof
        current = oneof and message.WhichOneof(oneof.name)
        if not current or current == field.name:
            return
        path = self.place.removeprefix("--set ").partition("=")[0]
        upto = path[: path.rindex(rest[0])].rstrip(".[")
        raise self.fail(
            f"{current} is set, which {field.name} excludes",
            hint=f"to switch, set the whole block: --set '{upto}={{ ... }}'",
        )

    def set_single(self, message: Any, field: schema.Field) -> None:
        if not self.text:
            schema.clear(message, field)
        elif schema.is_message(field):
            parsed = self.parse_message(field)
            child = schema.value(message, field)
            child.SetInParent()
            child.CopyFrom(parsed)
        else:
            setattr(message, field.name, self.scalar(field, self.text))

    def set_repeated(self, message: Any, field: schema.Field, rest: list[str]) -> None:
        held = schema.value(message, field)
        if not rest:
            self.replace_all(message, field)
            return
        if not re.fullmatch(r"-?\d+", rest[0]):
            # `eval_input_reader.shuffle`: there is rarely more than one.
            if not schema.is_message(field) or len(held) > 1:
                raise self.fail(
                    f"{field.name} is a list of {len(held)}; which one is meant?",
                    hint=f"write {field.name}[0], as in --set {field.name}[0]=...",
                )
            rest = ["0", *rest]
        index = self.index(field, held, int(rest[0]))
        if len(rest) == 1:
            self.set_element(held, field, index)
        elif schema.is_message(field):
            element = held.add() if index == len(held) else held[index]
            self.descend(element, rest[1:])
        else:
            raise self.fail(f"{field.name}[{index}] takes {schema.kind(field)}")

    def index(self, field: schema.Field, held: Any, index: int) -> int:
        last = len(held)  # One past the end appends.
        if not -last <= index <= last or (index < 0 and not last):
            raise self.fail(
                f"{field.name} has {last} elements, there is no [{index}]",
                hint=f"[0] to [{last - 1}] change one, [{last}] appends one"
                if last
                else f"{field.name}[0] appends the first one",
            )
        return index % last if index < 0 else index

    def set_element(self, held: Any, field: schema.Field, index: int) -> None:
        if not self.text:
            if index == len(held):
                raise self.fail(f"there is no {field.name}[{index}] to clear")
            del held[index]
        elif schema.is_message(field):
            parsed = self.parse_message(field)
            element = held.add() if index == len(held) else held[index]
            element.CopyFrom(parsed)
        elif index == len(held):
            held.append(self.scalar(field, self.text))
        else:
            held[index] = self.scalar(field, self.text)

    def replace_all(self, message: Any, field: schema.Field) -> None:
        """Sets a whole repeated field: one value, or a list in brackets."""
        if not self.text:
            schema.clear(message, field)
            return
        if not self.text.startswith("["):
            schema.clear(message, field)
            self.set_element(schema.value(message, field), field, 0)
            return
        if field.enum_type is None and field.cpp_type == field.CPPTYPE_STRING:
            values: Any = self.string_list(field)
        else:
            text = f"{field.name}: {self.text}"
            parsed = parse.parse(text, type(message)(), self.place)
            values = list(schema.value(parsed, field))
        schema.clear(message, field)
        schema.value(message, field).extend(values)

    def string_list(self, field: schema.Field) -> list[str]:
        if not self.text.endswith("]"):
            raise self.fail(f"the list of {field.name} has no closing bracket")
        items = re.findall(r'"[^"]*"|\'[^\']*\'|[^,]+', self.text[1:-1])
        return [self.scalar(field, item.strip()) for item in items if item.strip()]

    def set_map(self, held: Any, field: schema.Field, rest: list[str]) -> None:
        entry = field.message_type.fields_by_name
        if not rest:
            if self.text:
                raise self.fail(
                    f"{field.name} is a map", f"set one entry: {field.name}[KEY]=..."
                )
            held.clear()
            return
        name = self.scalar(entry["key"], rest[0])
        if schema.is_message(entry["value"]) and len(rest) > 1:
            self.descend(held[name], rest[1:])
        elif not self.text:
            held.pop(name, None)
        elif schema.is_message(entry["value"]):
            held[name].CopyFrom(self.parse_message(entry["value"]))
        else:
            held[name] = self.scalar(entry["value"], self.text)

    def parse_message(self, field: schema.Field) -> Any:
        """Returns the message that the value spells, with or without its braces."""
        text = self.text
        if text.startswith("{") and text.endswith("}"):
            text = text[1:-1]
        made = message_factory.GetMessageClass(field.message_type)()
        return parse.parse(text, made, self.place)

    def scalar(self, field: schema.Field, text: str) -> Any:
        """Returns `text` as a value of the field's type."""
        if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
            text = text[1:-1]
        if field.enum_type is not None:
            return self.enum(field, text)
        if field.cpp_type == field.CPPTYPE_STRING:
            return text
        if field.cpp_type == field.CPPTYPE_BOOL:
            if text.lower() not in _WORDS:
                raise self.wrong(field, text)
            return _WORDS[text.lower()]
        return self.number(field, text)

    def enum(self, field: schema.Field, text: str) -> int:
        names = field.enum_type.values_by_name
        found = names.get(text) or names.get(text.upper())
        if found is not None:
            return found.number
        if re.fullmatch(r"\d+", text) and int(text) in field.enum_type.values_by_number:
            return int(text)
        raise self.fail(
            f"unknown value {text!r} of {field.name}; "
            f"known values are {', '.join(names)}",
            did_you_mean(text.upper(), names),
        )

    def number(self, field: schema.Field, text: str) -> float | int:
        floating = field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE)
        try:
            number: float | int = float(text) if floating else int(text, 0)
        except ValueError:
            raise self.wrong(field, text) from None
        if not floating and not _fits(field, int(number)):
            raise self.wrong(field, text)
        return number

    def wrong(self, field: schema.Field, text: str) -> ConfigError:
        return self.fail(f"{field.name} takes {schema.kind(field)}, got {text!r}")


def _fits(field: schema.Field, number: int) -> bool:
    unsigned = field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64)
    bits = 32 if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 64
    low, high = (0, 2**bits) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return low <= number < high
