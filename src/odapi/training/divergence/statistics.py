"""Statistics of tensors with NaN and infinite values."""

import dataclasses
from typing import Any

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class TensorStatistics:
    """Counts and range of the values of a tensor.

    Args:
        shape: Its shape.
        nans: Number of NaN values.
        infinities: Number of infinite values.
        low, high: Range of the finite values; 0 if there are none.
    """

    shape: tuple[int, ...]
    nans: int
    infinities: int
    low: float
    high: float

    @property
    def is_finite(self) -> bool:
        """True if there is neither NaN nor infinity."""
        return not self.nans and not self.infinities

    @property
    def largest(self) -> float:
        """Largest magnitude of the finite values."""
        return max(abs(self.low), abs(self.high))

    def __str__(self) -> str:
        size = int(np.prod(self.shape))
        parts = [f"shape {list(self.shape)}"]
        if self.nans:
            parts.append(f"{self.nans} of {size} NaN")
        if self.infinities:
            parts.append(f"{self.infinities} of {size} infinite")
        if self.nans + self.infinities < size:
            parts.append(f"finite values {self.low:.4g} to {self.high:.4g}")
        return ", ".join(parts)


def statistics_of(value: Any) -> TensorStatistics:
    """Returns the statistics of a tensor or array."""
    array = np.asarray(keras.ops.convert_to_numpy(value))
    if array.dtype.kind not in "fiub":  # bfloat16 is of the kind "V".
        array = array.astype("float32")
    finite = np.isfinite(array)
    kept = array[finite].astype("float64")
    return TensorStatistics(
        tuple(array.shape),
        int(np.isnan(array).sum()),
        int(np.isinf(array).sum()),
        float(kept.min()) if kept.size else 0.0,
        float(kept.max()) if kept.size else 0.0,
    )
