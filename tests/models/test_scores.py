"""Score conversion and calibration; numbers by hand."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.models.calibration import ClassFunctions, PiecewiseLinear, TemperatureScaling
from odapi.models.scores import ScoreConverter

LOGITS = np.array([[0.0, np.log(3), -np.log(3)]], "float32")
HALF = PiecewiseLinear((0.0, 0.5, 1.0), (0.0, 0.2, 1.0))

CASES = {
    "identity": (ScoreConverter(), LOGITS, True),
    "sigmoid": (ScoreConverter("sigmoid"), [[0.5, 0.75, 0.25]], True),
    "softmax": (ScoreConverter("softmax"), np.array([[3, 9, 1]]) / 13, False),
    "scaled": (
        ScoreConverter("sigmoid", logit_scale=0.5), [[0.5, 0.9, 0.1]], True
    ),
    "temperature, before the scores": (
        ScoreConverter("sigmoid", calibration=TemperatureScaling(0.5)),
        [[0.5, 0.9, 0.1]], True,
    ),
    "function, after the scores": (
        ScoreConverter("sigmoid", calibration=HALF), [[0.2, 0.6, 0.1]], True
    ),
    "function of one class": (
        ScoreConverter("sigmoid", calibration=ClassFunctions(((1, HALF),))),
        [[0.5, 0.6, 0.25]], False,
    ),
}  # fmt: skip


@pytest.mark.backend
@pytest.mark.parametrize("name", CASES)
def test_scores(name):
    converter, want, is_monotonic = CASES[name]
    got = ops.convert_to_numpy(converter(ops.convert_to_tensor(LOGITS)))
    assert_allclose(got, want, rtol=1e-5)
    assert converter.is_monotonic == is_monotonic


# From calibration_builder_test.py of the original: points (0, 0.5), (0.5, 0.5),
# (1, 0.5) and the like; outside of them the nearest holds.
LINES = {
    "inside": (
        (0.0, 0.25, 1.0),
        (0.0, 0.5, 1.0),
        [0.125, 0.25, 0.625],
        [0.25, 0.5, 0.75],
    ),
    "outside": ((0.2, 0.4), (0.1, 0.3), [0.0, 0.2, 0.4, 1.0], [0.1, 0.1, 0.3, 0.3]),
    "flat": ((0.0, 0.5, 1.0), (0.5, 0.5, 0.5), [0.0, 0.7, 1.0], [0.5, 0.5, 0.5]),
    "two points": ((0.0, 1.0), (1.0, 0.0), [0.0, 0.25, 1.0], [1.0, 0.75, 0.0]),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", LINES)
def test_lines_between_points(name):
    x, y, scores, want = LINES[name]
    got = PiecewiseLinear(x, y)(ops.convert_to_tensor(np.array(scores, "float32")))
    assert_allclose(ops.convert_to_numpy(got), want, atol=1e-6)


def test_only_lines_that_never_fall_rise():
    assert PiecewiseLinear((0.0, 1.0), (0.5, 0.5)).is_monotonic
    assert not PiecewiseLinear((0.0, 0.5, 1.0), (0.0, 0.6, 0.5)).is_monotonic


def test_unknown_class_raises():
    with pytest.raises(ValueError, match="class 7, but there are 3 classes"):
        ClassFunctions(((7, HALF),))(ops.convert_to_tensor(LOGITS))


BAD = {
    "at least two points": lambda: PiecewiseLinear((0.5,), (0.5,)),
    "3 x and 2 y": lambda: PiecewiseLinear((0.1, 0.2, 0.3), (0.1, 0.2)),
    "must be strictly increasing": lambda: PiecewiseLinear((0.5, 0.5), (0.1, 0.2)),
    "scaler must be > 0": lambda: TemperatureScaling(0.0),
    "logit_scale must be > 0": lambda: ScoreConverter(logit_scale=0.0),
}


@pytest.mark.parametrize("message", BAD)
def test_settings_beyond_reason_are_refused(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()
