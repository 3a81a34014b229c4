"""Builds layer hyperparameters from a `Hyperparams` message."""

import dataclasses
from typing import Any

from odapi.build.oneof import build_oneof, call, checked
from odapi.labels import LabelMap
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import (
    GLOROT_UNIFORM,
    Distribution,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
    distribution_by_name,
)
from odapi.layers.norm import Norm


@dataclasses.dataclass(frozen=True)
class BuildContext:
    """Settings of all layers of a model that override their messages.

    Args:
        seed: Seed of the initial weights.
        dtype: Dtype policy.
        freeze_norm: Freeze the statistics of all batch norms.
        keypoints: Label map that names the keypoints of a CenterNet; None if there
            are none, or to read the file of the config.
        channels: Channels of the images.
    """

    seed: int = 0
    dtype: str = "float32"
    freeze_norm: bool = False
    keypoints: LabelMap | None = None
    channels: int = 3


def build_hyperparams(config: Any, path: str, context: BuildContext) -> Hyperparams:
    """Returns the hyperparameters of layers.

    Args:
        config: A `Hyperparams` message.
        path: Path of the message, for errors.
        context: Settings of the whole model.

    Raises:
        ConfigError: A value is not allowed.
    """
    config = checked(config, path)
    l1, l2 = _regularizer(config.regularizer)
    return Hyperparams(
        initializer=_initializer(config.initializer, f"{path}.initializer"),
        l1=l1,
        l2=l2,
        activation=config.enum_name("activation"),
        norm=_norm(config, path, context.freeze_norm),
        force_use_bias=config.force_use_bias,
        regularize_depthwise=config.regularize_depthwise,
        seed=context.seed,
        dtype=context.dtype,
    )


def _regularizer(config: Any) -> tuple[float, float]:
    """Returns the weights of L1 and L2 regularization."""
    kind = config.WhichOneof("regularizer_oneof")
    if kind == "l1_regularizer":
        return config.l1_regularizer.weight, 0.0
    if kind == "l2_regularizer":
        # The original counts half of the squares, as TF-Slim did.
        return 0.0, 0.5 * config.l2_regularizer.weight
    return 0.0, 0.0


def _initializer(config: Any, path: str) -> Distribution:
    if config.WhichOneof("initializer_oneof") is None:
        return GLOROT_UNIFORM
    return build_oneof(config, "initializer_oneof", _INITIALIZERS, path)


def _truncated_normal(config: Any, path: str) -> Distribution:
    return TruncatedNormal(config.mean, config.stddev)


def _random_normal(config: Any, path: str) -> Distribution:
    return RandomNormal(config.mean, config.stddev)


def _variance_scaling(config: Any, path: str) -> Distribution:
    mode = config.enum_name("mode")
    return VarianceScaling(config.factor, mode, config.uniform)


def _by_name(name: str, path: str) -> Distribution:
    return distribution_by_name(name)


_INITIALIZERS = {
    "truncated_normal_initializer": _truncated_normal,
    "random_normal_initializer": _random_normal,
    "variance_scaling_initializer": _variance_scaling,
    "keras_initializer_by_name": _by_name,
}


def _norm(config: Any, path: str, freeze: bool) -> Norm | None:
    kind = config.WhichOneof("normalizer_oneof")
    if kind is None:
        return None
    if kind == "group_norm":
        return Norm("group")
    return call(_batch_norm, getattr(config, kind), f"{path}.{kind}", kind, freeze)


def _batch_norm(config: Any, path: str, kind: str, freeze: bool) -> Norm:
    return Norm(
        kind.removesuffix("_norm"),
        momentum=config.decay,
        epsilon=config.epsilon,
        center=config.center,
        scale=config.scale,
        # The TF2 code of the original ignores `train`; here it has an effect.
        train=config.train and not freeze,
    )
