"""Learning-rate schedules of the TF Object Detection API.

Each gives the original's rate at every step, and runs inside the compiled step.
Steps count from 0: the first update uses the rate of step 0.
"""

import math
from typing import Any

from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from odapi.wording import counted


class Constant(LearningRateSchedule):
    """A constant rate."""

    def __init__(self, learning_rate: float):
        _check_rates(learning_rate=learning_rate)
        self.learning_rate = learning_rate

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step, a float32 scalar."""
        return ops.convert_to_tensor(self.learning_rate, "float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"learning_rate": self.learning_rate}


class ExponentialDecay(LearningRateSchedule):
    """`initial * factor ** ((step - burnin_steps) / decay_steps)`, never below `low`.

    Args:
        initial: Rate after the burn-in.
        decay_steps: Steps in which the rate falls by `factor`.
        factor: Factor of the decay.
        staircase: Decay once every `decay_steps`; False: a little at every step.
        burnin_rate: Rate of the first `burnin_steps`; 0 means `initial`.
        burnin_steps: Steps before the decay starts.
        low: Minimum rate, also during the burn-in.
    """

    def __init__(
        self,
        initial: float,
        decay_steps: int,
        factor: float,
        staircase: bool = True,
        burnin_rate: float = 0.0,
        burnin_steps: int = 0,
        low: float = 0.0,
    ):
        _check_rates(initial=initial, burnin_rate=burnin_rate, low=low)
        if decay_steps < 1:
            raise ValueError(f"decay_steps must be 1 or more, got {decay_steps}")
        if factor <= 0:
            raise ValueError(f"decay_factor must be above 0, got {factor}")
        self.initial, self.decay_steps, self.factor = initial, decay_steps, factor
        self.staircase, self.low = staircase, low
        self.burnin_rate, self.burnin_steps = burnin_rate, burnin_steps

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step, a float32 scalar."""
        after = ops.cast(step, "float32") - self.burnin_steps
        periods = after / self.decay_steps
        if self.staircase:
            periods = ops.floor(periods)
        rate = self.initial * ops.power(float(self.factor), periods)
        burnin = self.burnin_rate or self.initial
        return ops.maximum(ops.where(after < 0, burnin, rate), self.low)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            "initial": self.initial,
            "decay_steps": self.decay_steps,
            "factor": self.factor,
            "staircase": self.staircase,
            "burnin_rate": self.burnin_rate,
            "burnin_steps": self.burnin_steps,
            "low": self.low,
        }


class ManualSteps(LearningRateSchedule):
    """A table of rates: `rates[i]` until `boundaries[i]`, the last one from then on.

    Args:
        boundaries: Steps at which the next rate begins, increasing, from 1.
        rates: The rates, one more than boundaries.
        warmup: From step 0 to the first boundary, the rate goes linearly from
            `rates[0]` to `rates[1]` instead of staying.
    """

    def __init__(self, boundaries: list[int], rates: list[float], warmup: bool = False):
        _check_rates(**{f"rate {i}": rate for i, rate in enumerate(rates)})
        if len(rates) != len(boundaries) + 1:
            raise ValueError(
                f"needs {len(boundaries) + 1} rates for "
                f"{counted(len(boundaries), 'step')}, got {len(rates)}"
            )
        if any(b < 1 for b in boundaries) or sorted(set(boundaries)) != boundaries:
            raise ValueError(f"steps must rise and be 1 or more, got {boundaries}")
        self.boundaries, self.rates, self.warmup = boundaries, rates, warmup

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        rate = ops.convert_to_tensor(self.rates[0], "float32")
        if self.warmup and self.boundaries:
            slope = (self.rates[1] - self.rates[0]) / self.boundaries[0]
            rate = self.rates[0] + slope * step
        for boundary, later in zip(self.boundaries, self.rates[1:], strict=True):
            rate = ops.where(step >= boundary, later, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            "boundaries": self.boundaries,
            "rates": self.rates,
            "warmup": self.warmup,
        }


class CosineDecay(LearningRateSchedule):
    """Linear warm-up, constant base rate, then cosine decay to 0.

    Args:
        base: Maximum rate.
        total_steps: Step at which the rate reaches 0; it is 0 from then on.
        warmup_rate: Rate of step 0, at most `base`.
        warmup_steps: Step at which the rate reaches `base`.
        hold_steps: Number of steps at the base rate.
    """

    def __init__(
        self,
        base: float,
        total_steps: int,
        warmup_rate: float = 0.0,
        warmup_steps: int = 0,
        hold_steps: int = 0,
    ):
        _check_rates(base=base, warmup_rate=warmup_rate)
        if warmup_steps and base < warmup_rate:
            raise ValueError(
                f"learning_rate_base {base} is below warmup_learning_rate {warmup_rate}"
            )
        if total_steps < warmup_steps:
            raise ValueError(
                f"total_steps {total_steps} is below warmup_steps {warmup_steps}"
            )
        self.base, self.total_steps = base, total_steps
        self.warmup_rate, self.warmup_steps = warmup_rate, warmup_steps
        self.hold_steps = hold_steps

    def __call__(self, step: Any) -> Any:
        """Returns the rate of a step, a float32 scalar."""
        step = ops.cast(step, "float32")
        flat = self.warmup_steps + self.hold_steps
        # Without steps to decay any length is valid; avoids 0 / 0.
        length = float(self.total_steps - flat) or 1.0
        rate = 0.5 * self.base * (1.0 + ops.cos(math.pi * (step - flat) / length))
        if self.hold_steps:
            rate = ops.where(step > flat, rate, self.base)
        if self.warmup_steps:
            slope = (self.base - self.warmup_rate) / self.warmup_steps
            warmup = self.warmup_rate + slope * step
            rate = ops.where(step < self.warmup_steps, warmup, rate)
        return ops.where(step > self.total_steps, 0.0, rate)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            "base": self.base,
            "total_steps": self.total_steps,
            "warmup_rate": self.warmup_rate,
            "warmup_steps": self.warmup_steps,
            "hold_steps": self.hold_steps,
        }


def _check_rates(**rates: float) -> None:
    for name, rate in rates.items():
        if not math.isfinite(rate) or rate < 0:
            raise ValueError(f"{name} must be 0 or more, got {rate}")
