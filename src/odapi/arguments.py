"""Checks of numbers that are given to the public functions."""

import numbers

from odapi.errors import DataError


def check_count(name: str, value: object, least: int = 1) -> None:
    """Checks that an argument is a whole number.

    Args:
        name: Of the argument, for the error.
        value: What was given.
        least: Lowest number allowed.

    Raises:
        DataError: It is of another type, or lower.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise DataError(name, f"must be a whole number, got {value!r}"[:200])
    if value < least:
        raise DataError(name, f"must be {least} or more, got {value}")


def check_fraction(name: str, value: object) -> None:
    """Checks that an argument is a number from 0 to 1.

    Raises:
        DataError: It is of another type, nan, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise DataError(name, f"must be a number from 0 to 1, got {value!r}"[:200])
    if not 0 <= float(value) <= 1:
        raise DataError(name, f"must be from 0 to 1, got {value}")
