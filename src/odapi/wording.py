"""Parts of messages: numbers with their nouns, and the first of many names."""

from collections.abc import Iterable


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
