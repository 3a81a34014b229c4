"""Text as the fonts of OpenCV can show it: in visual order, with replaced emoji.

OpenCV draws characters one by one from left to right and shows "?" for those that its
fonts lack. Here right-to-left text gets its visual order, as unjoined letters, and
emoji become their names, such as "[dog face]".
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

_RIGHT_TO_LEFT = ("R", "AL")
_NUMBERS = ("EN", "AN")
_MARK = "NSM"
_FIRST_FLAG, _LAST_FLAG = 0x1F1E6, 0x1F1FF  # Letters of flags, A to Z.
_SKIN = range(0x1F3FB, 0x1F400)
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_SPACES = re.compile(r"\s+")


def drawn_text(text: str, has_glyph: Callable[[str], bool]) -> str:
    """Returns text to draw from left to right.

    Args:
        text: In logical order.
        has_glyph: Returns whether the font has a character.

    >>> drawn_text("dog 🐶", str.isascii)
    'dog [dog face]'
    """
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", _SPACES.sub(" ", text))
    return _visual_order(_replaced(text, has_glyph))


def is_legible(text: str, has_glyph: Callable[[str], bool]) -> bool:
    """Returns whether any letter, digit or symbol of a name can be shown."""
    shown = _replaced(text, has_glyph)
    return any(c.isalnum() and has_glyph(c) for c in shown)


def _replaced(text: str, has_glyph: Callable[[str], bool]) -> str:
    """Returns text with the names of missing symbols; invisible characters vanish."""
    parts = []
    for is_missing, group in itertools.groupby(
        _visible(text), lambda c: _is_symbol(c) and not has_glyph(c)
    ):
        characters = "".join(group)
        parts.append(_named(characters) if is_missing else characters)
    return "".join(parts)


def _visible(text: str) -> Iterator[str]:
    """Yields the characters that are not joiners, selectors, or control characters."""
    for character in text:
        category = unicodedata.category(character)
        is_selector = "\ufe00" <= character <= "\ufe0f"
        if category not in ("Cf", "Cc", "Cs") and not is_selector:
            yield character


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sk")


def _named(symbols: str) -> str:
    """Returns the names of symbols, such as "[dog face]" or "[FR]" for a flag."""
    names = []
    for is_flag, group in itertools.groupby(symbols, _is_flag):
        characters = list(group)
        if is_flag:
            names.append("".join(chr(ord(c) - _FIRST_FLAG + 65) for c in characters))
            continue
        plain = [c for c in characters if ord(c) not in _SKIN]
        names += [unicodedata.name(c, f"U+{ord(c):04X}").lower() for c in plain]
    return f"[{' '.join(names)}]"


def _is_flag(character: str) -> bool:
    return _FIRST_FLAG <= ord(character) <= _LAST_FLAG


def _visual_order(text: str) -> str:
    """Returns text whose right-to-left runs are reversed; the line runs left to right.

    A short form of the Unicode bidirectional algorithm, without nesting: a run goes
    from the first to the last right-to-left letter between left-to-right ones.
    """
    kinds = [unicodedata.bidirectional(c) for c in text]
    if not any(kind in _RIGHT_TO_LEFT for kind in kinds):
        return text
    result, start = "", 0
    while start < len(text):
        if kinds[start] not in _RIGHT_TO_LEFT:
            result += text[start]
            start += 1
            continue
        end = last = start
        while end < len(text) and kinds[end] != "L":
            if kinds[end] in (*_RIGHT_TO_LEFT, _MARK):
                last = end
            end += 1
        last += _closed(text[start : last + 1], text[last + 1 :])
        result += _reversed(text[start : last + 1])
        start = last + 1
    return result


def _closed(run: str, rest: str) -> int:
    """Returns how many characters after a run close the brackets that it opens."""
    is_open = sum(run.count(c) for c in "([{") > sum(run.count(c) for c in ")]}")
    return int(is_open and rest[:1] in (*")]}",))


def _reversed(run: str) -> str:
    """Returns a right-to-left run in visual order; numbers and marks stay together."""
    parts: list[str] = []
    previous = ""
    for character in run:
        kind = unicodedata.bidirectional(character)
        joins = kind == _MARK or (kind in _NUMBERS and previous in _NUMBERS)
        if parts and joins:
            parts[-1] += character
        else:
            parts.append(character.translate(_MIRRORED))
        previous = kind
    return "".join(reversed(parts))


cached_drawn_text = functools.lru_cache(maxsize=4096)(drawn_text)
