"""Proto text from files to messages, with errors that name file, line and column."""

import difflib
import os
import pathlib
import re
import warnings
from typing import TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from odapi.config import parse_errors, scan
from odapi.config.windows_paths import find_here, is_windows_path
from odapi.errors import ConfigError, OdapiError
from odapi.files import decode_text, read_file

M = TypeVar("M", bound=Message)

# Fields that hold a path: a backslash there is a separator, not an escape.
PATH_FIELDS = frozenset(
    {
        "input_path",
        "label_map_path",
        "keypoint_label_map_path",
        "fine_tune_checkpoint",
        "visualization_export_dir",
        "export_path",
        "train_data",
        "eval_data",
        "backbone_weights",
    }
)
_BINARY = {
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "an HDF5 file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
}
# Double, angled and single ones, and primes.
_CURLY = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a\u201b\u2032\u2033"
# Escapes that proto text knows; another letter after a backslash stands for both.
_KNOWN_ESCAPE = re.compile(r"\\(?:[abfnrtv\\'\"?xXuU]|[0-7])")


def read_text(path: str | os.PathLike, error: type[OdapiError] = ConfigError) -> str:
    """Returns the text of a file in one of the usual encodings.

    UTF-8 with or without a byte order mark and UTF-16 with one are understood.

    Raises:
        OdapiError: Of the type `error`: the file is missing, a folder, empty,
            binary, not UTF-8, or a web page.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise error(str(path), "there is no such file", hint=_near(path))
    if path.is_dir():
        raise error(str(path), "is a folder, not a file")
    try:
        data = read_file(path)
    except OSError as problem:
        raise error(str(path), f"cannot be read: {problem.strerror}") from problem
    text = _decode(data, str(path), error)
    if not text.strip():
        raise error(str(path), "is empty")
    return text


def parse(
    text: str,
    message: M,
    source: str,
    error: type[OdapiError] = ConfigError,
) -> M:
    """Fills `message` from proto text and returns it.

    If a field is given twice, the last value counts, as in the original, with a
    warning.

    Args:
        text: Proto text.
        message: An empty message.
        source: Name of the text's origin, for errors.
        error: Type of the error to raise.

    Raises:
        OdapiError: Of the type `error`, with line, column and the line's text.
    """
    text = text.removeprefix("\ufeff")
    _refuse_web_page(text, source, error)
    _refuse_bad_characters(text, source, error)
    text = _plain_backslashes(text, source, error)
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as problem:
        mended = parse_errors.explain(problem, text, message, source, error)
        if "should not have multiple" not in str(problem):
            raise mended from problem
    warnings.warn(f"{mended}\n  the last one counts", stacklevel=3)
    message.Clear()
    try:
        return text_format.Merge(text, message)
    except text_format.ParseError as problem:
        raise parse_errors.explain(problem, text, message, source, error) from problem


def _decode(data: bytes, source: str, error: type[OdapiError]) -> str:
    for start, what in _BINARY.items():
        if data.startswith(start):
            raise error(source, f"is {what}, not proto text")
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in data and not is_utf16:
        raise error(source, "is a binary file, not proto text")
    return decode_text(data, source, error)


def _near(path: pathlib.Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {str(folder)!r} does not exist either"
    close = difflib.get_close_matches(path.name, os.listdir(folder), n=1)
    if close:
        return f"did you mean {str(folder / close[0])!r}?"
    return f"relative paths start at {os.getcwd()}" if not path.is_absolute() else ""


def _refuse_web_page(text: str, source: str, error: type[OdapiError]) -> None:
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<head", "<?xml")):
        raise error(
            source,
            "is a web page (HTML or XML), not proto text",
            hint="on GitHub open the file, press 'Raw', and save what that shows",
        )


def _refuse_bad_characters(text: str, source: str, error: type[OdapiError]) -> None:
    if text.isascii():
        return
    for token in scan.tokens(text):
        if token.kind != "symbol" or token.text.isascii():
            continue
        if token.text in _CURLY:
            problem = f"curly quote {token.text}; only \" and ' are quotes here"
            hint = "replace it; word processors and web pages put such quotes in"
        else:
            problem = f"unexpected character {token.text!r} (U+{ord(token.text):04X})"
            hint = "delete it, or put quotes around the text that it is part of"
        raise error(
            *parse_errors.located(source, text, token.line, token.column, problem),
            hint=hint,
        )


def _plain_backslashes(text: str, source: str, error: type[OdapiError]) -> str:
    """Doubles the backslashes that escape nothing, as the original read them."""
    if "\\" not in text and ":/" not in text:
        return text
    pieces, end = [], 0
    for field, token in scan.strings(text):
        if field in PATH_FIELDS and is_windows_path(token.text[1:-1]):
            path = token.text[1:-1].replace("\\\\", "/").replace("\\", "/")
            here = find_here(path, pathlib.Path(source).parent)
            if here is not None:
                pieces += [text[end : token.start], f"{token.text[0]}{here}"]
                end = token.start + len(token.text) - 1
                continue
        if "\\" not in token.text:
            continue
        if field in PATH_FIELDS:
            _refuse_escapes_in_path(field, token, text, source, error)
        body = re.sub(r"\\\\|\\.", _double, token.text)
        pieces += [text[end : token.start], body]
        end = token.start + len(token.text)
    return "".join(pieces) + text[end:]


def _double(escape: re.Match) -> str:
    found = escape.group()
    return found if _KNOWN_ESCAPE.match(found) else "\\" + found


def _refuse_escapes_in_path(
    field: str, token: scan.Token, text: str, source: str, error: type[OdapiError]
) -> None:
    body = token.text[1:-1]
    for escape in re.finditer(r"\\\\|\\.", body):
        found = escape.group()
        if found in ("\\\\", "\\'", '\\"') or not _KNOWN_ESCAPE.match(found):
            continue
        column = token.column + 1 + escape.start()
        problem = f"{found} in {field} is an escape, not a folder"
        right = body.replace("\\\\", "/").replace("\\", "/")
        raise error(
            *parse_errors.located(source, text, token.line, column, problem),
            hint=f'write the path with forward slashes: "{right}"',
        )


def to_text(message: Message) -> str:
    """Returns `message` as canonical proto text."""
    return text_format.MessageToString(message, as_utf8=True)
