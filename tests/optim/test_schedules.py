"""Learning rates step by step; "From" names the original's test of the numbers."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

from odapi.optim.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    ManualSteps,
)

STAIRS = {
    "initial": 1.0,
    "decay_steps": 3,
    "factor": 0.1,
    "burnin_rate": 0.5,
    "burnin_steps": 2,
    "low": 0.05,
}
WARM = {"base": 1.0, "total_steps": 100, "warmup_rate": 0.1, "warmup_steps": 9}
# 100 steps of cosine: a quarter is cos(45 degrees).
ROUND = {"base": 1.0, "total_steps": 110, "warmup_rate": 0.0, "warmup_steps": 10}
HOLD = {"base": 1.0, "total_steps": 130, "hold_steps": 20, "warmup_steps": 10}

CASES = {
    "constant": (Constant(0.002), {0: 0.002, 10**7: 0.002}),
    # From learning_schedules_test.py.
    "exponential with burn-in": (
        ExponentialDecay(**STAIRS),
        dict(enumerate([0.5, 0.5, 1, 1, 1, 0.1, 0.1, 0.1, 0.05])),
    ),
    # 0.25 ** (step / 2), by hand.
    "exponential, smooth": (
        ExponentialDecay(1.0, 2, 0.25, staircase=False),
        {0: 1.0, 1: 0.5, 2: 0.25, 3: 0.125, 4: 0.0625},
    ),
    "exponential, smooth, after burn-in": (
        ExponentialDecay(1.0, 2, 0.25, staircase=False, burnin_steps=3),
        {0: 1.0, 2: 1.0, 3: 1.0, 4: 0.5, 5: 0.25},
    ),
    "exponential, staircase": (
        ExponentialDecay(0.4, 2, 0.5),
        {0: 0.4, 1: 0.4, 2: 0.2, 3: 0.2, 4: 0.1, 20: 0.4 / 1024},
    ),
    "exponential, minimum holds in the burn-in": (
        ExponentialDecay(1.0, 1, 0.5, burnin_rate=0.1, burnin_steps=2, low=0.3),
        {0: 0.3, 1: 0.3, 2: 1.0, 3: 0.5, 4: 0.3},
    ),
    # From learning_schedules_test.py.
    "manual": (
        ManualSteps([2, 3, 7], [1.0, 2.0, 3.0, 4.0]),
        dict(enumerate([1, 1, 2, 3, 3, 3, 3, 4, 4, 4])),
    ),
    "manual with warm-up": (
        ManualSteps([4, 6, 8], [0.02, 0.10, 0.01, 0.001], warmup=True),
        dict(enumerate([0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])),
    ),
    "manual without steps": (ManualSteps([], [0.01], warmup=True), {0: 0.01, 9: 0.01}),
    # From learning_schedules_test.py.
    "cosine with warm-up": (
        CosineDecay(**WARM),
        {0: 0.1, 4: 0.5, 8: 0.9, 9: 1.0, 100: 0.0, 101: 0.0, 10**6: 0.0},
    ),
    "cosine": (
        CosineDecay(**ROUND),
        {0: 0, 5: 0.5, 10: 1, 35: 0.8535534, 60: 0.5, 85: 0.1464466, 110: 0, 111: 0},
    ),
    "cosine with hold": (
        CosineDecay(**HOLD),
        {5: 0.5, 10: 1, 29: 1, 30: 1, 55: 0.8535534, 80: 0.5, 130: 0},
    ),
    "cosine without warm-up": (
        CosineDecay(0.8, 4),
        {0: 0.8, 1: 0.6828427, 2: 0.4, 3: 0.1171573, 4: 0},
    ),
    # Nothing is left to decay: the original divides 0 by 0 at step 4.
    "cosine that is all warm-up": (CosineDecay(1.0, 4, 0.0, 4), {2: 0.5, 4: 1, 5: 0}),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_rates_are_those_of_the_original(name):
    schedule, rates = CASES[name]
    got = {step: float(convert_to_numpy(schedule(step))) for step in rates}
    assert got == pytest.approx(rates, rel=1e-5, abs=1e-7)
    assert convert_to_numpy(schedule(0)).dtype == np.float32


@pytest.mark.parametrize("name", CASES)
def test_a_schedule_is_made_again_from_its_config(name):
    schedule, _ = CASES[name]
    again = type(schedule).from_config(schedule.get_config())
    assert vars(again) == vars(schedule)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1.0), "learning_rate must be 0 or more, got -1"),
        (lambda: Constant(float("nan")), "must be 0 or more, got nan"),
        (lambda: ExponentialDecay(1.0, 0, 0.5), "decay_steps must be 1 or more"),
        (lambda: ExponentialDecay(1.0, 5, 0.0), "decay_factor must be above 0"),
        (lambda: ManualSteps([0, 5], [1.0, 1.0, 1.0]), r"must rise .* got \[0, 5\]"),
        (lambda: ManualSteps([5, 5], [1.0, 1.0, 1.0]), "must rise"),
        (lambda: ManualSteps([5], [1.0]), "needs 2 rates for 1 step, got 1"),
        (lambda: CosineDecay(0.1, 100, 0.2, 10), "0.1 is below warmup_learning_rate"),
        (lambda: CosineDecay(0.1, 5, 0.0, 10), "total_steps 5 is below warmup_steps"),
    ],
)
def test_rates_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
