"""Errors of the protobuf parser, reworded with the place, the choices and a hint.

Our own code is kept since no library names the next step for a config file.
"""

import bisect
import re
from typing import Any

from odapi.config import scan, schema
from odapi.errors import OdapiError, did_you_mean

_SHOWN = 100  # Characters of a line that an error shows.

_CONFIG = frozenset(schema.fields(schema.ROOT))
_NO_FIELD = re.compile(r'Message type "([^"]+)" has no field named "([^"]+)"')
_NO_VALUE = re.compile(r'Enum type "([^"]+)" has no value (?:named|with number) (\S+)')
_ONEOF = re.compile(r'Field "([^"]+)" is specified along with field "([^"]+)"')
_EXTENSION = re.compile(r'Extension "([^"]+)" not registered')
_TWICE = re.compile(r'should not have multiple "([^"]+)"')
_WRONG_VALUE = re.compile(
    r"Couldn't parse (?:integer|float)|Value out of range|Expected string|"
    r'Expected "true" or "false"|Expected ":"|Expected "{"|Expected identifier'
)


def located(
    source: str, text: str, line: int, column: int, problem: str
) -> tuple[str, str]:
    """Returns place and problem of an error, with the line and a caret under it."""
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    start = max(0, column - _SHOWN * 3 // 4) if len(shown) > _SHOWN else 0
    before = re.sub(r"[^\t]", " ", shown[start : column - 1])
    return (
        f"{source}:{line}:{column}",
        f"{problem}\n    {shown[start : start + _SHOWN]}\n    {before}^",
    )


def explain(
    problem: Any, text: str, message: Any, source: str, error: type[OdapiError]
) -> OdapiError:
    """Returns the error that explains a ParseError of protobuf.

    Args:
        problem: The ParseError.
        text: The text that was parsed.
        message: The message to be filled.
        source: Name of the text's origin.
        error: Type of the result.
    """
    line, column = problem.GetLine() or 1, problem.GetColumn() or 1
    blocks = _enclosing(text, line, column, message.DESCRIPTOR)
    said = re.sub(r"^\d+:\d+ : ", "", str(problem))
    empty = None
    if _WRONG_VALUE.search(said) or _NO_VALUE.search(said):
        empty = _field_without_value(text, (line, column), blocks)
    if empty:
        field, line, column = empty
        what, hint = _no_value_given(field)
    else:
        what, hint = _translate(said, text, (line, column), blocks)
    return error(*located(source, text, line, column, what), hint=hint)


Blocks = list[tuple[scan.Block, schema.Descriptor]]


def _enclosing(text: str, line: int, column: int, root: schema.Descriptor) -> Blocks:
    """Returns the open blocks with their message types, the root first."""
    found: Blocks = [(scan.Block("", 1, 1), root)]
    for block in scan.open_blocks(text, line, column):
        parent = found[-1][1]
        name = block.name.removeprefix("odapi.")
        field = schema.fields(parent).get(name) if parent else None
        found.append((block, field.message_type if field else None))
    return found


def _translate(
    said: str, text: str, at: tuple[int, int], blocks: Blocks
) -> tuple[str, str]:
    if match := _NO_FIELD.search(said):
        if _is_behind_text(text, at):
            name = match.group(2)
            hint = f"delete {name} behind the string, or write it on its own line"
            return f"{name!r} stands directly behind a string", hint
        return _no_field(match.group(1), match.group(2), blocks)
    if match := _NO_VALUE.search(said):
        return _no_value(text, at, blocks, match.group(2).rstrip("."))
    if match := _ONEOF.search(said):
        new, old = match.groups()
        return (
            f"{new} excludes {old}, which is set before",
            "keep one of the two; a brace may also be closed too late",
        )
    if match := _EXTENSION.search(said):
        hint = did_you_mean(match.group(1), ["odapi.options"])
        return f"there is no extension [{match.group(1)}]", hint or (
            "the only one is [odapi.options] { ... }, at the top level"
        )
    if match := _TWICE.search(said):
        return f"{match.group(1)} is given twice", ""
    return _bad_syntax(said, text, at, blocks)


def _is_behind_text(text: str, at: tuple[int, int]) -> bool:
    """Returns True if a quote ends directly before a place."""
    line, column = at
    return text.split("\n")[line - 1][: column - 1].endswith(('"', "'"))


def _no_field(owner: str, name: str, blocks: Blocks) -> tuple[str, str]:
    descriptor = blocks[-1][1]
    shown = owner.rsplit(".", 1)[-1]
    known = list(schema.fields(descriptor)) if descriptor else []
    problem = f"{shown} has no field {name!r}"
    close = did_you_mean(name, known)
    for block, parent in reversed(blocks[:-1]):
        if parent is not None and name in schema.fields(parent):
            where = f"the block {block.name!r}" if block.name else "the top level"
            inner = blocks[-1][0]
            return problem, (
                f"{name} belongs to {where}; is a closing brace missing? "
                f"{inner.name!r} of line {inner.line} is still open here"
            )
    if blocks[0][1] is not schema.ROOT:
        close = close or (
            "this looks like a pipeline config" if name in _CONFIG else ""
        )
    elif name == "item":
        return problem, "this looks like a label map, not a pipeline config"
    elif elsewhere := schema.paths_of(name):
        there = f"there is {' and '.join(elsewhere)}"
        return problem, f"{there}; {close}" if close else there
    return problem, close or f"its fields are {', '.join(sorted(known))}"


def _no_value(
    text: str, at: tuple[int, int], blocks: Blocks, got: str
) -> tuple[str, str]:
    field = _field_at(text, at, blocks)
    problem = f"unknown value {got!r}"
    if field is None or field.enum_type is None:
        return problem, ""
    names = [v.name for v in field.enum_type.values]
    close = did_you_mean(got.upper(), names)
    return f"{problem} of {field.name}; known values are {', '.join(names)}", close


def _bad_syntax(
    said: str, text: str, at: tuple[int, int], blocks: Blocks
) -> tuple[str, str]:
    said = re.sub(r"^(['\"]).*\1: ", "", said).rstrip(".")
    if 'Expected "}"' in said or "Expected one of" in said:
        return _unclosed(text, blocks)
    if "ending quote" in said:
        return "this text has no closing quote", "quotes open and close on one line"
    if "got }" in said:
        return "this closing brace closes nothing", "delete it, or open a block before"
    field = _field_at(text, at, blocks)
    if field is not None and _WRONG_VALUE.search(said):
        return _wrong_value(field, _token_at(text, at))
    return said, ""


def _wrong_value(field: Any, got: str) -> tuple[str, str]:
    problem = f"{field.name} takes {schema.kind(field)}, got {got or 'nothing'}"
    if schema.is_message(field):
        return problem, f"write {field.name} {{ ... }}"
    if got == "=":
        return problem, f"write {field.name}: value; there is no '=' here"
    if field.cpp_type == field.CPPTYPE_STRING:
        return problem, f'put quotes around it: {field.name}: "{got}"'
    return problem, ""


def _field_without_value(
    text: str, at: tuple[int, int], blocks: Blocks
) -> tuple[Any, int, int] | None:
    """Returns the field, line and column before a place where its value should be.

    The parser takes the name of the next field for the value.
    """
    tokens = list(scan.tokens(text))
    places = [(token.line, token.column) for token in tokens]
    here = bisect.bisect_left(places, at)
    before, following = tokens[:here], tokens[here : here + 2]
    if following:
        starts_field = following[0].kind == "word" and following[-1].text in ":{<"
        if not (starts_field or following[0].text in "}>,;"):
            return None
    has_colon = bool(before) and before[-1].text == ":"
    name = before[-2 if has_colon else -1] if len(before) > has_colon else None
    field = _field_at(text, (name.line, name.column), blocks) if name else None
    if name is None or field is None or field.name != name.text:
        return None
    if schema.is_message(field) and not has_colon:
        return None
    return field, name.line, name.column


def _no_value_given(field: Any) -> tuple[str, str]:
    value = "VALUE"
    if field.cpp_type == field.CPPTYPE_STRING:
        value = '"..."'
    written = f"{field.name}: {value}"
    if schema.is_message(field):
        written = f"{field.name} {{ ... }}"
    problem = f"{field.name} has no value; it takes {schema.kind(field)}"
    return problem, f"write {written}, or delete it"


def _unclosed(text: str, blocks: Blocks) -> tuple[str, str]:
    block = blocks[-1][0]
    if not block.name:
        return "a closing brace is missing", ""
    return (
        f"the text ends inside {block.name!r}, which line {block.line} opens",
        "add the missing closing brace",
    )


def _field_at(text: str, at: tuple[int, int], blocks: Blocks) -> Any:
    """Returns the field whose value stands at a place."""
    descriptor = blocks[-1][1]
    if descriptor is None:
        return None
    known = schema.fields(descriptor)
    found = None
    for token in scan.tokens(text):
        if (token.line, token.column) > at:
            break
        if token.kind == "word" and token.text in known:
            found = known[token.text]
    return found


def _token_at(text: str, at: tuple[int, int]) -> str:
    for token in scan.tokens(text):
        if (token.line, token.column) >= at:
            return token.text
    return ""
