"""Margins of the tests of learning, which must hold for every seed and rounding.

A test of learning asks `reached` for its numbers and adds `SEED` to its seeds. With
`ODAPI_LEARNING_LOG` set, the numbers are appended to that file, one JSON line each:
`python -m benchmarks.learning_margins` makes a table of them over seeds, threads and
oneDNN.
"""

import json
import os

SEED = int(os.environ.get("ODAPI_TEST_SEED", "0"))


def reached(
    name: str, value: float, above: float | None = None, below: float | None = None
) -> bool:
    """Returns whether a number is beyond its limit, and records both."""
    value = float(value)
    if log := os.environ.get("ODAPI_LEARNING_LOG"):
        row = {"name": name, "value": value, "above": above, "below": below}
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return (above is None or value > above) and (below is None or value < below)
