"""Numbers in annotations, which may be written as text."""

from typing import Any


def number_of(value: Any) -> float:
    """Returns a number, also one that is written as text; NaN for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
