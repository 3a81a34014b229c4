"""Dtype policies that a user sets in Keras."""

import keras
import pytest

from odapi.build import detector as builder
from odapi.build.detector import build_detector
from odapi.errors import ConfigError
from small_models import small_config


@pytest.fixture(autouse=True)
def restore():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def policy_of(config, monkeypatch, on_cpu=False):
    monkeypatch.setattr(builder, "computes_on_cpu", lambda: on_cpu)
    return builder._dtype(builder.options(config))


@pytest.mark.parametrize(
    ("policy", "overrides", "used"),
    [
        ("float32", [], "float32"),
        ("mixed_bfloat16", [], "mixed_bfloat16"),
        ("mixed_float16", [], "mixed_float16"),
        ("mixed_float16", ["options.precision=BFLOAT16"], "mixed_bfloat16"),
        ("mixed_float16", ["options.precision=FLOAT32"], "float32"),
        ("float16", ["options.precision=FLOAT32"], "float32"),
    ],
)
def test_a_policy_stands_for_a_precision_that_is_not_set(
    monkeypatch, policy, overrides, used
):
    keras.config.set_dtype_policy(policy)
    assert policy_of(small_config("ssd", *overrides), monkeypatch) == used


def test_on_a_cpu_a_policy_is_ignored_like_the_option(monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    with pytest.warns(UserWarning, match="options.precision: BFLOAT16 is ignored"):
        assert policy_of(small_config("ssd"), monkeypatch, on_cpu=True) == "float32"


@pytest.mark.parametrize(
    ("set_up", "setting"),
    [
        (lambda: keras.config.set_dtype_policy("float16"), "dtype policy is 'float16'"),
        (lambda: keras.config.set_dtype_policy("float64"), "dtype policy is 'float64'"),
        (lambda: keras.config.set_floatx("float16"), "floatx is 'float16'"),
    ],
)
def test_other_policies_are_refused(set_up, setting):
    set_up()
    with pytest.raises(ConfigError) as caught:
        build_detector(small_config("ssd"))
    assert str(caught.value) == (
        f"options.precision: Keras' {setting}, but weights of a detector are float32\n"
        '  hint: keras.config.set_floatx("float32"), and options.precision: BFLOAT16 '
        'or FLOAT16, or keras.config.set_dtype_policy("mixed_bfloat16") or '
        '"mixed_float16", to compute in 16 bits'
    )
