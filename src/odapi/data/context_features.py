"""Context features: a memory bank of objects in other images of the same camera.

A memory bank is `[n, d]` float32, one row per object that was detected in another
image: the feature of its box, its position, and the time when the image was taken.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.data.problems import Problems
from odapi.data.sample import Sample
from odapi.errors import DataError
from odapi.wording import counted

# Keys of a sample.
CONTEXT, CONTEXT_IDS = "context_features", "context_image_ids"
CONTEXT_KEYS = (CONTEXT, CONTEXT_IDS)
# Inputs of a model, by the names of the TF Object Detection API.
FEATURES, SIZE = "context_features", "valid_context_size"
# Features of a tf.Example.
VALUES = "image/context_features"
LENGTH = "image/context_feature_length"
IDS = "image/context_features_image_id_list"

TOO_MANY = "more context features than max_num_context_features"
MISSING = "image without context features"
OTHER_LENGTH = "context features of another length"


def read_context(features: Any) -> dict[str, Any]:
    """Returns the memory bank of a record and the ids of its images, by key.

    Args:
        features: The features of a tf.Example, by name.

    Returns:
        `CONTEXT` `[n, d]` float32 and `CONTEXT_IDS`, a list of str, one per image (not
        per row), as the original writes it; each only if the record has it.

    Raises:
        ValueError: The number of values is not a multiple of the row length.
    """
    if VALUES not in features and LENGTH not in features:
        return {}
    lengths: Any = features[LENGTH].int64_list.value if LENGTH in features else ()
    if len(lengths) != 1 or lengths[0] < 1:
        found_length = f"is {list(lengths)}" if len(lengths) else "is missing"
        raise ValueError(f"{LENGTH} {found_length}; it must be one number, 1 or more")
    numbers = _floats(features[VALUES]) if VALUES in features else np.zeros(0, "f4")
    if len(numbers) % lengths[0]:
        raise ValueError(
            f"{VALUES}: {counted(len(numbers), 'number')} are not whole rows of "
            f"{lengths[0]}"
        )
    found: dict[str, Any] = {CONTEXT: numbers.reshape(-1, int(lengths[0]))}
    ids: Any = features[IDS].bytes_list.value if IDS in features else ()
    if ids:
        found[CONTEXT_IDS] = [i.decode("utf-8", "replace") for i in ids]
    return found


def _floats(feature: Any) -> np.ndarray:
    """Returns the floats of a feature as one buffer: a bank may hold millions."""
    count = len(feature.float_list.value)
    if not count:
        return np.zeros(0, np.float32)
    packed = feature.float_list.SerializeToString()
    return np.frombuffer(packed, "<f4", count, len(packed) - 4 * count).copy()


@dataclasses.dataclass(frozen=True)
class BankShape:
    """Shape of the memory bank that a model reads.

    Args:
        rows: Maximum number of rows; the first ones are kept, as in the original.
        length: Number of values per row.
    """

    rows: int
    length: int

    def __post_init__(self):
        if self.rows < 1 or self.length < 1:
            raise ValueError(f"rows and length must be 1 or more, got {self}")

    def batch(
        self, samples: Sequence[Sample], problems: Problems
    ) -> dict[str, np.ndarray]:
        """Returns the model inputs: banks `[b, rows, length]`, sizes `[b]` int32.

        A missing bank, or one whose rows have another length, counts as empty.

        Args:
            samples: The samples of a batch.
            problems: Counts missing, mismatching and truncated banks.
        """
        banks = np.zeros((len(samples), self.rows, self.length), np.float32)
        sizes = np.zeros(len(samples), np.int32)
        for i, sample in enumerate(samples):
            bank = sample.get(CONTEXT)
            if bank is None or not bank.shape[1]:
                problems.found(MISSING, sample["image_id"])
                continue
            if bank.shape[1] != self.length:
                problems.found(OTHER_LENGTH, sample["image_id"])
                continue
            if len(bank) > self.rows:
                dropped = len(bank) - self.rows
                problems.found(TOO_MANY, sample["image_id"], dropped, len(bank))
            sizes[i] = min(len(bank), self.rows)
            banks[i, : sizes[i]] = bank[: self.rows]
        return {FEATURES: banks, SIZE: sizes}


def one_bank(
    given: str | os.PathLike | np.ndarray, specs: Mapping[str, Sequence[int | None]]
) -> dict[str, np.ndarray]:
    """Returns the model inputs of one memory bank for all images: a batch of one.

    Args:
        given: `[n, d]`, or a .npy file with such an array.
        specs: Shapes of the side inputs of the model, without the batch axis.

    Raises:
        DataError: It cannot be read, or does not fit the model.
    """
    place = "context" if isinstance(given, np.ndarray) else str(given)
    if FEATURES not in specs:
        raise DataError(place, "was given, but the model does not use context features")
    bank = given if isinstance(given, np.ndarray) else _load_bank(given)
    rows, length = specs[FEATURES][0], specs[FEATURES][1]
    if bank.ndim != 2 or bank.shape[1] != (length or max(bank.shape[1], 1)):
        raise DataError(
            place,
            f"must be [n, {length or 'd'}], one row per object; got {list(bank.shape)}",
        )
    if bank.dtype.kind not in "fiu":
        raise DataError(place, f"must hold numbers, got {bank.dtype}")
    with np.errstate(over="ignore"):
        if not np.isfinite(bank.astype(np.float32)).all():
            raise DataError(place, "must hold finite float32 numbers")
    length = bank.shape[1]
    sample = {"image_id": place, CONTEXT: bank}
    return BankShape(rows or max(len(bank), 1), length).batch([sample], Problems())


def _load_bank(path: str | os.PathLike) -> np.ndarray:
    file = os.path.expanduser(path)
    try:
        # A map is not read, but refuses a shape that is larger than the file.
        if not isinstance(np.load(file, "r", allow_pickle=False), np.ndarray):
            raise ValueError("it is an .npz archive")
        return np.load(file, allow_pickle=False)
    except Exception as error:  # A damaged header raises any type of error in NumPy.
        raise DataError(str(path), f"is not a .npy file: {error}") from error
