"""Values of the features of a tf.Example."""

from typing import Any

import numpy as np

from odapi.wording import counted


class ExampleError(ValueError):
    """The bytes are not a tf.Example of an image with objects."""


def values_of(features: Any, name: str) -> Any:
    """Returns the values of a feature of any kind; () if it is missing."""
    if name not in features:  # Access to a missing key of a map would add it.
        return ()
    feature = features[name]
    kind = feature.WhichOneof("kind")
    return getattr(feature, kind).value if kind else ()


def numbers_of(features: Any, name: str, dtype: str) -> np.ndarray:
    """Returns the values of a feature as an array of a type.

    Raises:
        ExampleError: They are not numbers of this type.
    """
    try:
        return np.array(values_of(features, name), dtype)
    except OverflowError as error:
        raise ExampleError(f"{name} has a number beyond {dtype}") from error
    except (TypeError, ValueError) as error:
        raise ExampleError(f"{name} is not a list of numbers") from error


def floats_of(features: Any, name: str) -> np.ndarray:
    """Returns the values of a feature as float32.

    Raises:
        ExampleError: They are not numbers.
    """
    return numbers_of(features, name, "float32")


def integer_of(features: Any, name: str) -> int:
    """Returns the first value of a feature as an integer, 0 if it is missing.

    Raises:
        ExampleError: It is not a number.
    """
    values = values_of(features, name)
    try:
        return int(values[0]) if len(values) else 0
    except (ValueError, OverflowError) as error:
        raise ExampleError(f"{name} is not a number") from error


def text_of(features: Any, name: str) -> str:
    """Returns the first value of a feature as text, "" if it is missing."""
    values = values_of(features, name)
    return decoded(values[0]) if len(values) else ""


def decoded(value: Any) -> str:
    """Returns a value as text; bytes that are not UTF-8 are replaced."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def checked(values: Any, count: int, feature: str) -> Any:
    """Returns the values of a feature.

    Raises:
        ExampleError: There are not `count` of them.
    """
    if len(values) != count:
        raise ExampleError(f"{feature}: {counted(len(values), 'value')} for {count}")
    return values


def rows_of(values: np.ndarray, count: int, feature: str) -> np.ndarray:
    """Returns values as float32 `[count, n]`.

    Raises:
        ExampleError: Their number is not a multiple of `count`.
    """
    if len(values) % count:
        raise ExampleError(
            f"{feature}: {counted(len(values), 'value')} for {counted(count, 'object')}"
        )
    return values.reshape(count, -1).astype(np.float32)
