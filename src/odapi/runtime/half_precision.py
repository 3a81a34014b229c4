"""16-bit number formats that the processor or the accelerator computes in."""

from typing import NamedTuple

import keras

from odapi.runtime.cpu import cpu_features
from odapi.runtime.devices import computes_on_cpu

# Names of Linux: of x86 processors, and "bf16" of ARM. AMX is the fastest.
_BFLOAT16_FEATURES = ("amx_bf16", "avx512_bf16", "bf16")
# NVIDIA's Ampere; older ones have float16 only.
_BFLOAT16_CAPABILITY = (8, 0)


class HalfPrecision(NamedTuple):
    """The 16-bit format that is fast on this device.

    Args:
        name: "BFLOAT16" or "FLOAT16"; "" if there is none.
        reason: The features that it is known by, or those that are missing.
    """

    name: str
    reason: str


def half_precision() -> HalfPrecision:
    """Returns the 16-bit format for the device that the backend computes on."""
    if computes_on_cpu():
        return cpu_half_precision(cpu_features())
    capability = _capability()
    if capability is None:  # Not of NVIDIA: such as a TPU.
        return HalfPrecision("BFLOAT16", "an accelerator without compute capability")
    reason = f"compute capability {capability[0]}.{capability[1]}"
    is_new = capability >= _BFLOAT16_CAPABILITY
    return HalfPrecision("BFLOAT16" if is_new else "FLOAT16", reason)


def cpu_half_precision(features: frozenset[str]) -> HalfPrecision:
    """Returns the 16-bit format for a processor with some features."""
    found = [name for name in _BFLOAT16_FEATURES if name in features]
    if found:
        return HalfPrecision("BFLOAT16", " and ".join(found))
    first, second = _BFLOAT16_FEATURES[:2]
    if not features:
        return HalfPrecision("", "the features of the processor are unknown")
    return HalfPrecision("", f"the processor has neither {first} nor {second}")


def _capability() -> tuple[int, int] | None:
    """Returns the compute capability of the first NVIDIA GPU; None without one."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        devices = tf.config.list_physical_devices("GPU")
        details = (
            tf.config.experimental.get_device_details(devices[0]) if devices else {}
        )
        return details.get("compute_capability")
    if backend == "torch":
        import torch

        has_gpu = torch.cuda.is_available() and torch.version.hip is None
        return torch.cuda.get_device_capability() if has_gpu else None
    import jax

    text = getattr(jax.devices()[0], "compute_capability", None)
    if text is None or "." not in str(text):
        return None
    major, minor = str(text).split(".")[:2]
    return int(major), int(minor)
