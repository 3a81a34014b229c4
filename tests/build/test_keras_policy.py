"""Dtype policies that a user sets in Keras."""

import keras
import pytest

from odapi.build import precision
from odapi.build.detector import build_detector
from odapi.config.load import options
from odapi.errors import ConfigError
from odapi.runtime.compat import flatten_layers
from small_models import small_config


@pytest.fixture(autouse=True)
def restore():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def policy_of(config, monkeypatch, on_cpu=False):
    monkeypatch.setattr(precision, "computes_on_cpu", lambda: on_cpu)
    return precision.dtype_policy(options(config))


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


def test_on_a_cpu_layers_stay_float32(monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert policy_of(small_config("ssd"), monkeypatch, on_cpu=True) == "float32"


def test_auto_is_resolved_by_training_only(monkeypatch):
    config = small_config("ssd", "options.precision=AUTO")
    with pytest.warns(UserWarning, match="AUTO is resolved by `odapi train` only"):
        assert policy_of(config, monkeypatch) == "float32"


@pytest.mark.parametrize(
    ("name", "lowered"), [("FLOAT32", 0), ("BFLOAT16", 14), ("FLOAT16", 14)]
)
def test_on_a_cpu_the_convolutions_that_gain_are_lowered(monkeypatch, name, lowered):
    monkeypatch.setattr(precision, "computes_on_cpu", lambda: True)
    detector = build_detector(small_config("retina", f"options.precision={name}"))
    layers = [
        layer
        for layer in flatten_layers(detector)
        if getattr(layer, "training_dtype", None) == name.lower()
    ]
    assert len(layers) == lowered
    assert {layer.compute_dtype for layer in flatten_layers(detector)} == {"float32"}
    detector.compile(optimizer="sgd")
    scaled = isinstance(detector.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled is (name == "FLOAT16")


def test_a_model_without_large_convolutions_says_so(monkeypatch):
    monkeypatch.setattr(precision, "computes_on_cpu", lambda: True)
    tiny = keras.Sequential([keras.layers.Dense(2)])
    option = options(small_config("ssd", "options.precision=BFLOAT16"))
    with pytest.warns(UserWarning, match="BFLOAT16 has no effect on a CPU: the model"):
        precision.lower_layers(tiny, option)
    assert precision.lowered_layers(tiny) == (0, 0)


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
