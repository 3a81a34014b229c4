"""Errors for numbers of devices and processes that a backend cannot use."""

import keras

from odapi.errors import ConfigError
from odapi.runtime.compat import has_torch_distribution

_SAME = "the config and the checkpoints are the same"


def one_process(backend: str) -> ConfigError:
    """Returns the error for several processes on a backend that trains in one."""
    return ConfigError(
        "--num-processes",
        f"several processes train together on JAX only, and the backend is {backend}",
        hint=f'--backend jax (pip install "odapi[jax]"): {_SAME}; --num-processes 1 '
        "trains in this process alone, whatever the environment says",
    )


def one_device_of_torch() -> ConfigError:
    """Returns the error for several devices on PyTorch."""
    reason = f"Keras {keras.version()} has no data parallelism on PyTorch"
    if has_torch_distribution():
        reason = f"odapi does not use that of Keras {keras.version()} yet"
    return ConfigError(
        "--devices",
        f"PyTorch trains on one device: {reason}",
        hint='--backend jax or --backend tensorflow (pip install "odapi[jax]" or '
        f'"odapi[tensorflow]"): {_SAME}; or --devices 1, on the GPU that '
        "CUDA_VISIBLE_DEVICES or --device gpu:N selects",
    )
