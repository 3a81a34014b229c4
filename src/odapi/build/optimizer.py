"""Builds the optimizer and its learning rate from a `TrainConfig`."""

from typing import Any, NamedTuple

import keras
from keras.optimizers.schedules import LearningRateSchedule

from odapi.build.oneof import build_oneof
from odapi.config.load import options
from odapi.config.rules.registry import Part, require
from odapi.config.view import view
from odapi.optim import optimizers, schedules


class Optimization(NamedTuple):
    """An optimizer, and the schedule of its learning rate."""

    optimizer: keras.optimizers.Optimizer
    schedule: LearningRateSchedule

    def rate_at(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0."""
        return float(keras.ops.convert_to_numpy(self.schedule(step)))


def build_optimizer(config: Any) -> Optimization:
    """Returns the optimizer that `train_config` describes.

    Gradients are first multiplied (biases, by `bias_grad_multiplier`), then clipped
    by their global norm. With `options.precision: FLOAT16` the loss is scaled while
    gradients are computed, so that small ones do not vanish.

    Args:
        config: A TrainEvalPipelineConfig.

    Raises:
        ConfigError: No optimizer or no learning rate is set, or a value of one is
            not allowed.
    """
    require(config, Part.OPTIMIZER)
    config = view(config)
    train, path = config.train_config, "train_config.optimizer"
    common = {
        "average_decay": None,
        "bias_factor": train.bias_grad_multiplier or 1.0,
        "global_clipnorm": train.gradient_clipping_by_norm or None,
    }
    if train.optimizer.use_moving_average:
        decay = train.optimizer.moving_average_decay
        common["average_decay"] = decay
    built = build_oneof(train.optimizer, "optimizer", _OPTIMIZERS, path, common)
    if options(config).precision == options(config).FLOAT16:
        return built._replace(optimizer=optimizers.scale_losses(built.optimizer))
    return built


def build_schedule(config: Any, path: str) -> LearningRateSchedule:
    """Returns the learning rate of a `LearningRate` message.

    Raises:
        ConfigError: No learning rate is set, or a value is not allowed.
    """
    return build_oneof(config, "learning_rate", _SCHEDULES, path)


def _momentum(config: Any, path: str, common: dict[str, Any]) -> Optimization:
    schedule = build_schedule(config.learning_rate, f"{path}.learning_rate")
    optimizer = optimizers.make(
        keras.optimizers.SGD,
        learning_rate=schedule,
        momentum=config.momentum_optimizer_value,
        **common,
    )
    return Optimization(optimizer, schedule)


def _adam(config: Any, path: str, common: dict[str, Any]) -> Optimization:
    schedule = build_schedule(config.learning_rate, f"{path}.learning_rate")
    optimizer = optimizers.make(
        keras.optimizers.Adam,
        learning_rate=schedule,
        epsilon=config.epsilon,
        **common,
    )
    return Optimization(optimizer, schedule)


def _rms_prop(config: Any, path: str, common: dict[str, Any]) -> Optimization:
    schedule = build_schedule(config.learning_rate, f"{path}.learning_rate")
    optimizer = optimizers.make(
        keras.optimizers.RMSprop,
        learning_rate=schedule,
        # The original gave it to Keras as the decay of the learning rate.
        rho=config.decay,
        momentum=config.momentum_optimizer_value,
        epsilon=config.epsilon,
        **common,
    )
    return Optimization(optimizer, schedule)


def _constant(config: Any, path: str) -> LearningRateSchedule:
    return schedules.Constant(config.learning_rate)


def _exponential(config: Any, path: str) -> LearningRateSchedule:
    return schedules.ExponentialDecay(
        initial=config.initial_learning_rate,
        decay_steps=config.decay_steps,
        factor=config.decay_factor,
        staircase=config.staircase,
        burnin_rate=config.burnin_learning_rate,
        burnin_steps=config.burnin_steps,
        low=config.min_learning_rate,
    )


def _manual(config: Any, path: str) -> LearningRateSchedule:
    later = [part.learning_rate for part in config.schedule]
    return schedules.ManualSteps(
        boundaries=[part.step for part in config.schedule],
        rates=[config.initial_learning_rate, *later],
        warmup=config.warmup,
    )


def _cosine(config: Any, path: str) -> LearningRateSchedule:
    return schedules.CosineDecay(
        base=config.learning_rate_base,
        total_steps=config.total_steps,
        warmup_rate=config.warmup_learning_rate,
        warmup_steps=config.warmup_steps,
        hold_steps=config.hold_base_rate_steps,
    )


_OPTIMIZERS = {
    "momentum_optimizer": _momentum,
    "adam_optimizer": _adam,
    "rms_prop_optimizer": _rms_prop,
}
_SCHEDULES = {
    "constant_learning_rate": _constant,
    "exponential_decay_learning_rate": _exponential,
    "manual_step_learning_rate": _manual,
    "cosine_decay_learning_rate": _cosine,
}
