"""Tokens of proto text with their positions.

Our own scanner is kept since the parser of protobuf gives no positions of fields.

It finds the start of blocks, the fields of strings, the lines of fields, and
characters that the parser would only call unexpected.
"""

import dataclasses
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\v]+)
    |(?P<newline>\n)
    |(?P<comment>\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<word>[A-Za-z0-9_.+\-]+)
    |(?P<symbol>.)""",
    re.VERBOSE,
)
_OPEN, _CLOSE = "{<", "}>"


@dataclasses.dataclass(frozen=True)
class Token:
    """A piece of proto text; `line` and `column` count from 1."""

    kind: str  # "string", "word" or "symbol"
    text: str
    start: int
    line: int
    column: int


@dataclasses.dataclass(frozen=True)
class Block:
    """A message that is open at some place: its field and where it began."""

    name: str
    line: int
    column: int


def tokens(text: str) -> Iterator[Token]:
    """Yields the tokens of `text` without white space and comments."""
    line, line_start = 1, 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "newline":
            line, line_start = line + 1, match.end()
        elif kind not in ("space", "comment"):
            column = match.start() - line_start + 1
            yield Token(kind, match.group(), match.start(), line, column)


def open_blocks(text: str, line: int, column: int) -> list[Block]:
    """Returns the blocks that are open just before a place, outermost first."""
    stack: list[Block] = []
    name = Token("word", "", 0, 1, 1)
    for token in tokens(text):
        if (token.line, token.column) >= (line, column):
            break
        if token.kind == "word":
            name = token
        elif token.text in _OPEN:
            stack.append(Block(name.text, name.line, name.column))
        elif token.text in _CLOSE and stack:
            stack.pop()
    return stack


def strings(text: str) -> Iterator[tuple[str, Token]]:
    """Yields (field name, token) of every string literal."""
    name = ""
    words: list[str] = []
    for token in tokens(text):
        if token.kind == "word":
            words.append(token.text)
        elif token.text == ":" and words:
            name = words[-1]
        elif token.text in _OPEN and words:
            name = ""
        elif token.kind == "string":
            yield name, token


def top_level(text: str, name: str) -> list[int]:
    """Returns the lines on which the outermost blocks called `name` begin."""
    lines = []
    depth = 0
    for token in tokens(text):
        if token.kind == "word" and depth == 0 and token.text == name:
            lines.append(token.line)
        elif token.text in _OPEN:
            depth += 1
        elif token.text in _CLOSE:
            depth = max(depth - 1, 0)
    return lines
