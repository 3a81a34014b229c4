"""The learning rate of another batch size, by rule."""

import pytest

from odapi.config.load import load_config
from odapi.training.rate_scaling import scaling_lines

_MOMENTUM = "train_config.optimizer.momentum_optimizer.learning_rate"
_COSINE = f"{_MOMENTUM}.cosine_decay_learning_rate"
_MANUAL = f"{_MOMENTUM}.manual_step_learning_rate"
_ADAM = "train_config.optimizer.adam_optimizer.learning_rate"


def config(rate, *overrides):
    return load_config(
        f"train_config {{ batch_size: 64 optimizer {{ {rate} }} }}", overrides
    )


COSINE = """momentum_optimizer { learning_rate { cosine_decay_learning_rate {
  learning_rate_base: 0.08 warmup_learning_rate: 0.02 warmup_steps: 100 } } }"""
MANUAL = """momentum_optimizer { learning_rate { manual_step_learning_rate {
  initial_learning_rate: 0.1 schedule { step: 5 learning_rate: 0.01 } } } }"""
ADAM = """adam_optimizer { learning_rate { constant_learning_rate {
  learning_rate: 0.001 } } }"""


@pytest.mark.parametrize(
    ("rate", "batch", "factor", "expected"),
    [
        # 0.08 * 8 / 64, 0.02 * 8 / 64.
        (
            COSINE,
            8,
            "linear rule, it would be multiplied by 0.125",
            [
                f"--set {_COSINE}.learning_rate_base=0.01",
                f"--set {_COSINE}.warmup_learning_rate=0.0025",
            ],
        ),
        (
            MANUAL,
            128,
            "linear rule, it would be multiplied by 2",
            [
                f"--set {_MANUAL}.initial_learning_rate=0.2",
                f"--set {_MANUAL}.schedule[0].learning_rate=0.02",
            ],
        ),
        # sqrt(16 / 64) = 0.5.
        (
            ADAM,
            16,
            "square-root rule, for Adam, it would be multiplied by 0.5",
            [f"--set {_ADAM}.constant_learning_rate.learning_rate=0.0005"],
        ),
    ],
)
def test_the_rates_of_a_batch_size_are_printed_as_options(
    rate, batch, factor, expected
):
    original = config(rate)
    changed = config(rate, f"train_config.batch_size={batch}")
    first, options, *_ = scaling_lines(original, changed)
    assert f"batch_size is {batch}, in the config 64" in first
    assert factor in first
    assert options.strip() == " ".join(expected)
    # The options are accepted, and applied, they end the message.
    settings = [o.removeprefix("--set ") for o in expected]
    assert scaling_lines(original, load_config(changed, settings)) == []


def test_a_larger_batch_without_warmup_is_given_the_advice():
    changed = config(MANUAL, "train_config.batch_size=128")
    assert (
        "with a warm-up, which this schedule lacks"
        in (scaling_lines(config(MANUAL), changed)[-1])
    )
    changed = config(COSINE, "train_config.batch_size=128")
    assert len(scaling_lines(config(COSINE), changed)) == 2


@pytest.mark.parametrize("rate", [COSINE, MANUAL, ADAM, ""])
def test_the_batch_size_of_the_config_is_not_commented(rate):
    assert scaling_lines(config(rate), config(rate)) == []


def test_a_config_without_a_batch_size_is_no_recipe():
    bare = load_config(f"train_config {{ optimizer {{ {COSINE} }} }}")
    changed = load_config(bare, ["train_config.batch_size=8"])
    bare.train_config.batch_size = 0
    assert scaling_lines(bare, changed) == []
