"""Range of allowed numbers."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `above` excludes `low`, `below` excludes `high`."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, number: float) -> bool:
        low = number > self.low if self.above else number >= self.low
        return low and (number < self.high if self.below else number <= self.high)

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        high = f"below {self.high:g}" if self.below else f"{self.high:g}"
        return f"{'above ' if self.above else ''}{self.low:g} to {high}"
