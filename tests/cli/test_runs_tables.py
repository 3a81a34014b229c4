"""Tables of `odapi runs`."""

import pathlib

import pytest

from odapi.cli.runs import _speed
from odapi.report.run_record import RunRecord


@pytest.mark.parametrize(
    ("speed", "shown"), [(None, "-"), (0.042, "0.042"), (0.31, "0.31"), (11.44, "11.4")]
)
def test_slow_evaluations_have_a_speed(speed, shown):
    folder = pathlib.Path("d3")
    record = RunRecord("d3", folder, "evaluation", 0, images_per_second=speed)
    assert _speed(record) == shown
