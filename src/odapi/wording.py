"""Parts of messages: numbers with their nouns, the first of many names, safe text."""

import re
from collections.abc import Iterable

# Control characters besides tab and line feed, line separators of Unicode, and marks
# that reorder the text after them: a terminal would obey them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Returns a number with its noun; the plural adds an "s" by default.

    >>> counted(1, "error"), counted(0, "image"), counted(2, "box", "boxes")
    ('1 error', '0 images', '2 boxes')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def first_names(names: Iterable[str], most: int) -> str:
    """Returns the first names, separated by commas, and how many there are.

    >>> first_names(["a", "b", "c"], 2)
    'a, b, ... (3 in all)'
    """
    names = list(names)
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def visible(text: str) -> str:
    r"""Returns text whose control characters are escaped, except tab and line feed.

    >>> visible("cat\x1b[2J"), visible("ca\u202et")
    ('cat\\x1b[2J', 'ca\\u202et')
    """
    return _UNSAFE.sub(lambda found: ascii(found.group())[1:-1], text)


def shortened(text: str, most: int) -> str:
    """Returns text whose middle is left out if it has more than `most` characters.

    >>> shortened("0123456789" * 3, 10)
    '01234 ... 56789'
    """
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"
