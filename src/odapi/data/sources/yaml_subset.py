"""Parser of the YAML subset of data.yaml files; avoids a dependency."""

import pathlib
import re
from typing import Any

from odapi.errors import DataError

_KEY = re.compile(r"""^(\s*)("[^"]*"|'[^']*'|[^\s:#'"][^:#]*?)\s*:(?:\s+(.*))?$""")
_ITEM = re.compile(r"^(\s*)-\s+(.*)$")


def read_yaml(path: pathlib.Path) -> dict[str, Any]:
    """Returns top-level keys with scalars, lists, or one level of keys below them.

    Raises:
        DataError: A line is not in this subset.
    """
    content: dict[str, Any] = {}
    top = ""
    for number, raw in enumerate(_joined(path.read_text("utf-8-sig")), 1):
        line = _without_comment(raw).rstrip()
        if not line.strip() or line.strip() in ("---", "..."):
            continue
        item, key = _ITEM.match(line), _KEY.match(line)
        if item and top:
            if not isinstance(content[top], list):
                content[top] = []
            content[top].append(_value(item[2]))
        elif key and not key[1]:
            top = _unquoted(key[2])
            content[top] = _value(key[3] or "")
        elif key and top:
            if not isinstance(content[top], dict):
                content[top] = {}
            content[top][_unquoted(key[2])] = _value(key[3] or "")
        elif top and isinstance(content[top], str):
            content[top] += f" {line.strip()}"  # A multi-line scalar.
        else:
            raise DataError(f"{path}:{number}", f"cannot be read: {raw.strip()!r}")
    return content


def _joined(text: str) -> list[str]:
    """Returns the lines, with bracketed lists joined to one line each."""
    lines: list[str] = []
    depth = 0
    for line in text.splitlines():
        bare = _without_comment(line)
        if depth > 0:
            lines[-1] += f" {bare.strip()}"
        else:
            lines.append(bare)
        depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
    return lines


def _without_comment(line: str) -> str:
    quote = ""
    for i, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (i == 0 or line[i - 1] in " [{,:"):
            quote = char
        elif char == "#" and (i == 0 or line[i - 1] in " \t"):
            return line[:i]
    return line


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_value(part) for part in _parts(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = (part.split(":", 1) for part in _parts(text[1:-1]) if ":" in part)
        return {_unquoted(key.strip()): _value(value) for key, value in pairs}
    if text in ("", "~", "null"):
        return None
    try:
        return int(text)
    except ValueError:
        return _unquoted(text)


def _parts(text: str) -> list[str]:
    """Splits at commas outside quotes."""
    parts = re.findall(r"""(?:"[^"]*"|'[^']*'|[^,"'])+""", text)
    return [part.strip() for part in parts if part.strip()]


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
