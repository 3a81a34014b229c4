"""Rows of a comparison with stored tensors."""

import dataclasses

import numpy as np

TOLERANCE = 1e-4
NOTHING = "nothing is stored"

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Row:
    """A group of tensors: the largest relative difference, and where it is."""

    group: str
    difference: float
    tensor: str
    tolerance: float

    @property
    def ok(self) -> bool:
        """True if the difference is within the tolerance; NaN is not."""
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        """Returns a line of the table."""
        verdict = "ok" if self.ok else "FAIL"
        return (
            f"{self.group:<22} {self.difference:9.2e}  tolerance {self.tolerance:.0e}  "
            f"{verdict:<4}  {self.tensor}"
        )


class Comparison:
    """Collects differences of tensors to the stored ones."""

    def __init__(self, golden):
        self.golden = golden
        self.arrays = golden.arrays

    def row(self, group: str, values: Arrays, tolerance: float = TOLERANCE) -> Row:
        """Returns the row of all tensors in `values` that are stored."""
        worst, where, known = 0.0, "", False
        for key, value in values.items():
            if key not in self.arrays:
                continue
            known = True
            difference = self._difference(key, value)
            if not difference <= worst:
                worst, where = difference, key
        if not known:
            return Row(group, float("nan"), NOTHING, tolerance)
        return Row(group, worst, where, tolerance)

    def keys(self, prefix: str) -> list[str]:
        """Returns the names of the stored tensors that begin with `prefix`."""
        return [key for key in self.arrays if key.startswith(prefix)]

    def _difference(self, key: str, value: np.ndarray) -> float:
        try:
            difference, scale = self.golden.compare(key, value)
        except ValueError:
            return float("inf")  # Another shape.
        return difference / scale if scale > 0 else difference


def feature_maps(prefix: str, outputs: Arrays) -> Arrays:
    """Returns the feature maps by their stored names, of which a family has one."""
    maps = {k: v for k, v in outputs.items() if k.startswith("feature_maps/")}
    centers = {
        k.replace("feature_maps", "extracted_features"): v for k, v in maps.items()
    }
    return {f"{prefix}/{k}": v for k, v in (maps | centers).items()}


def heads(prefix: str, outputs: Arrays) -> Arrays:
    """Returns the predictions by their stored names."""
    others = ("feature_maps/", "detections/", "preprocessed")
    return {f"{prefix}/{k}": v for k, v in outputs.items() if not k.startswith(others)}
