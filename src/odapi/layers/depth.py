"""How many channels a layer gets."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Depth:
    """Scales a nominal number of channels, with a lower bound."""

    multiplier: float = 1.0
    minimum: int = 0

    def __call__(self, channels: float) -> int:
        """Returns the channels for `channels` nominal ones."""
        return max(int(channels * self.multiplier), self.minimum)


_DIVISOR = 8


def divisible(channels: float) -> int:
    """Returns the nearest multiple of 8 that is not 10 % below `channels`."""
    rounded = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return rounded + _DIVISOR if rounded < 0.9 * channels else rounded
