"""Lines of a config file on which its fields are written."""

from collections.abc import Iterator

from odapi.config import scan, schema

_OPEN, _CLOSE = ("{", "<"), ("}", ">")


def field_lines(text: str) -> dict[str, int]:
    """Returns the line of each field of a pipeline config, by its path.

    A field that is written several times has the line of its first place; elements of
    repeated fields have their own, as `name[0]`.

    Args:
        text: Proto text that the parser accepts.
    """
    lines: dict[str, int] = {}
    _read_message(scan.tokens(text), "", schema.ROOT, lines)
    return lines


def line_of(lines: dict[str, int], path: str) -> int | None:
    """Returns the line of a field; if it is not written, that of its block."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1].rpartition("[" if path.endswith("]") else ".")[0]
    return None


def _read_message(
    tokens: Iterator[scan.Token],
    path: str,
    message: schema.Descriptor | None,
    lines: dict[str, int],
) -> None:
    """Reads up to the end of a message; None is a message of unknown type."""
    known = schema.fields(message) if message is not None else {}
    counts: dict[str, int] = {}
    field, here, is_value, is_list = None, "", False, False
    for token in tokens:
        symbol = token.text if token.kind == "symbol" else ""
        if symbol in _CLOSE:
            return
        if symbol in _OPEN:
            place = _place(field, here, counts)
            lines.setdefault(place, token.line)
            inner = field.message_type if field is not None else None
            _read_message(tokens, place, inner, lines)
            is_value = is_list
        elif symbol:
            is_list = (is_list or (symbol == "[" and is_value)) and symbol != "]"
            is_value = is_list or symbol == ":"
        elif is_value:
            lines.setdefault(_place(field, here, counts), token.line)
            is_value = is_list
        elif token.kind == "word":
            name = token.text.removeprefix("odapi.")
            field, here = known.get(name), schema.join(path, name)
            lines.setdefault(here, token.line)


def _place(field: schema.Field | None, here: str, counts: dict[str, int]) -> str:
    """Returns the path of the next element of a field."""
    if field is None or not field.is_repeated or schema.is_map(field):
        return here
    index = counts[here] = counts.get(here, -1) + 1
    return f"{here}[{index}]"
