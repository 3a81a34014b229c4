"""From `train_config` to an optimizer of Keras."""

import keras
import pytest
from keras.ops import convert_to_numpy

from odapi.build.optimizer import build_optimizer
from odapi.config.load import load_config
from odapi.errors import ConfigError

RATE = "learning_rate { constant_learning_rate { learning_rate: 0.3 } }"
PLAIN = f"optimizer {{ momentum_optimizer {{ {RATE} }} use_moving_average: false }}"


def built(train, options=""):
    return build_optimizer(
        load_config(f"train_config {{ {train} }}\n[odapi.options] {{ {options} }}")
    )


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (f"momentum_optimizer {{ {RATE} }}", "SGD", {"momentum": 0.9}),
        (
            f"momentum_optimizer {{ {RATE} momentum_optimizer_value: 0.3 }}",
            "SGD",
            {"momentum": 0.3, "nesterov": False},
        ),
        (f"adam_optimizer {{ {RATE} }}", "Adam", {"epsilon": 1e-8, "beta_1": 0.9}),
        # The decay is that of the mean of squares, not of the learning rate.
        (
            f"rms_prop_optimizer {{ {RATE} decay: 0.8 }}",
            "RMSprop",
            {"rho": 0.8, "momentum": 0.9, "epsilon": 1.0},
        ),
    ],
)
def test_optimizers_have_the_numbers_of_their_message(text, kind, expected):
    optimizer, schedule = built(f"optimizer {{ {text} use_moving_average: false }}")
    assert type(optimizer) is type(getattr(keras.optimizers, kind)())
    assert {k: getattr(optimizer, k) for k in expected} == expected
    assert float(convert_to_numpy(schedule(0))) == pytest.approx(0.3)


def test_clipping_averages_and_biases_come_from_the_config():
    optimizer, _ = built(
        f"optimizer {{ momentum_optimizer {{ {RATE} }} moving_average_decay: 0.9 }} "
        "gradient_clipping_by_norm: 10.0 bias_grad_multiplier: 2.0"
    )
    assert optimizer.global_clipnorm == 10.0
    assert (optimizer.average_decay, optimizer.bias_factor) == (0.9, 2.0)


def test_averages_are_kept_by_default_as_in_the_original():
    optimizer, _ = built(f"optimizer {{ momentum_optimizer {{ {RATE} }} }}")
    assert optimizer.average_decay == 0.9999


def test_the_loss_is_scaled_for_float16_only():
    assert isinstance(built(PLAIN).optimizer, keras.optimizers.SGD)
    scaled, _ = built(PLAIN, "precision: FLOAT16")
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    assert isinstance(built(PLAIN, "precision: BFLOAT16")[0], keras.optimizers.SGD)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        (
            "exponential_decay_learning_rate { initial_learning_rate: 0.4 "
            "decay_steps: 2 decay_factor: 0.5 burnin_learning_rate: 0.1 "
            "burnin_steps: 1 min_learning_rate: 0.15 }",
            {0: 0.15, 1: 0.4, 2: 0.4, 3: 0.2, 5: 0.15},
        ),
        (
            "manual_step_learning_rate { initial_learning_rate: 0.1 "
            "schedule { step: 2 learning_rate: 0.3 } schedule { step: 4 } "
            "warmup: true }",
            {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.3, 4: 0.002},
        ),
        (
            "cosine_decay_learning_rate { learning_rate_base: 0.4 total_steps: 6 "
            "warmup_learning_rate: 0.2 warmup_steps: 1 hold_base_rate_steps: 1 }",
            {0: 0.2, 1: 0.4, 2: 0.4, 4: 0.2, 6: 0.0},
        ),
    ],
)
def test_schedules_have_the_numbers_of_their_message(text, rates):
    _, schedule = built(
        f"optimizer {{ adam_optimizer {{ learning_rate {{ {text} }} }} }}"
    )
    got = {step: float(convert_to_numpy(schedule(step))) for step in rates}
    assert got == pytest.approx(rates, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "train_config.optimizer: is missing"),
        (
            "optimizer { adam_optimizer {} }",
            r"adam_optimizer.learning_rate: is missing",
        ),
        (
            "optimizer { adam_optimizer { learning_rate { cosine_decay_learning_rate "
            "{ total_steps: 5 } } } }",
            r"cosine_decay_learning_rate.total_steps: is 5",
        ),
    ],
)
def test_what_cannot_be_built_names_its_path(text, message):
    with pytest.raises(ConfigError, match=message):
        built(text)
