"""Cases of the original's preprocessing, stored with their random draws."""

import functools
import json

import numpy as np


@functools.lru_cache
def all_cases(path):
    """Returns the cases of a file."""
    return json.loads(path.read_text())["cases"]


def cases(shared, file, function):
    """Returns the cases of one function of the original."""
    found = all_cases(shared / "original_tests" / f"{file}.json")
    return [case for case in found if case["function"] == function]


def preprocessor_cases(shared, name):
    """Returns the cases with fixed draws of one step, such as `random_rgb_to_gray`."""
    function = f"{name.replace('_', ' ')} (preprocessor.{name})"
    return cases(shared, "preprocessor_fixed_draws", function)


def array(value, dtype="float32"):
    """Returns a stored array; constant ones are stored by shape and value."""
    if isinstance(value, dict):
        return np.full(value["shape"], value["fill"], dtype)
    return np.array(value, dtype)


def unit_draws(case):
    """Returns the scalar draws of a case, scaled back to 0..1 if they are floats."""
    values = []
    for draw in case.get("draws", []):
        if isinstance(draw["value"], list):
            continue
        raw = draw.get("raw", [draw])[0]
        low, high = raw.get("minval", 0.0), raw.get("maxval", 1.0)
        whole = isinstance(draw["value"], int)
        values.append(draw["value"] if whole else (draw["value"] - low) / (high - low))
    return values
