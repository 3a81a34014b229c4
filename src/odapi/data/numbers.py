"""Numbers in annotations, which may be written as text."""

from typing import Any


def number_of(value: Any) -> float:
    """Returns a number, also one that is written as text; NaN for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def natural_key(name: str) -> tuple[bool, int, str]:
    """Returns a sort key that puts numbers in their order, before other names.

    >>> sorted(["b", "10", "a", "9"], key=natural_key)
    ['9', '10', 'a', 'b']
    """
    return (not is_whole(name), int(name) if is_whole(name) else 0, name)


def is_whole(text: str) -> bool:
    """Returns whether a text is a whole number, from 0, of at most 18 digits.

    Python refuses to convert thousands of digits, and int64 holds 18.

    >>> is_whole("12"), is_whole("-1"), is_whole("1.0"), is_whole("9" * 19)
    (True, False, False, False)
    """
    return text.isdecimal() and len(text) <= 18
