"""Number formats of a model, by `options.precision` and the device.

On an accelerator, all layers get a mixed dtype policy of Keras. On a CPU they stay
float32, and the layers that gain multiply in 16 bits in training: see
`layers.reduced_precision`.
"""

import warnings
from typing import Any, NamedTuple

import keras

from odapi.errors import ConfigError
from odapi.layers.reduced_precision import ReducedPrecision, gains_from_16_bits
from odapi.runtime.compat import flatten_layers
from odapi.runtime.devices import computes_on_cpu

OPTION = "options.precision"
FLOAT32, BFLOAT16, FLOAT16, AUTO = "FLOAT32", "BFLOAT16", "FLOAT16", "AUTO"

# By Keras' global dtype policies, which options.precision comes before.
_POLICIES = {
    "float32": FLOAT32,
    "mixed_bfloat16": BFLOAT16,
    "mixed_float16": FLOAT16,
}


class Lowered(NamedTuple):
    """Number of layers of a model that multiply in 16 bits, and that could."""

    layers: int
    of: int


def precision_of_keras() -> str:
    """Returns the precision that stands for the dtype policy a user has set in Keras.

    Raises:
        ConfigError: There is none.
    """
    policy, floatx = keras.config.dtype_policy().name, keras.config.floatx()
    if policy in _POLICIES and floatx == "float32":
        return _POLICIES[policy]
    setting = f"floatx is {floatx!r}"
    if floatx == "float32":
        setting = f"dtype policy is {policy!r}"
    raise ConfigError(
        OPTION,
        f"Keras' {setting}, but weights of a detector are float32",
        hint='keras.config.set_floatx("float32"), and options.precision: BFLOAT16 or '
        'FLOAT16, or keras.config.set_dtype_policy("mixed_bfloat16") or '
        '"mixed_float16", to compute in 16 bits',
    )


def precision_name(option: Any) -> str:
    """Returns the precision of an `Options` message, or that of Keras' policy."""
    if not option.HasField("precision"):
        return precision_of_keras()
    name: str = option.Precision.Name(option.precision)
    return name


def dtype_policy(option: Any) -> str:
    """Returns the dtype policy of all layers for an `Options` message."""
    name = precision_name(option)
    if name == AUTO:
        warnings.warn(
            f"{OPTION}: AUTO is resolved by `odapi train` only, which times the "
            "formats; here it means FLOAT32",
            stacklevel=3,
        )
    if name in (FLOAT32, AUTO) or computes_on_cpu():
        return "float32"
    return f"mixed_{name.lower()}"


def lower_layers(detector: keras.layers.Layer, option: Any) -> None:
    """Sets the layers of a detector on a CPU that multiply in 16 bits in training.

    A warning says if there are none. On accelerators nothing is set.

    Args:
        detector: A built detector.
        option: An `Options` message.
    """
    name = precision_name(option)
    if name in (FLOAT32, AUTO) or not computes_on_cpu():
        return
    for layer in flatten_layers(detector):
        if gains_from_16_bits(layer):
            layer.training_dtype = name.lower()
    if not lowered_layers(detector).layers:
        warnings.warn(
            f"{OPTION}: {name} has no effect on a CPU: the model has no convolution "
            "that is large enough to gain from it",
            stacklevel=3,
        )


def lowered_layers(detector: keras.layers.Layer) -> Lowered:
    """Returns how many layers multiply in 16 bits in training, and how many could."""
    found = [x for x in flatten_layers(detector) if isinstance(x, ReducedPrecision)]
    return Lowered(sum(x.training_dtype is not None for x in found), len(found))
