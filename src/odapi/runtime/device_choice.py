"""The device that a backend computes on, chosen before the backend starts."""

import os

from odapi.errors import ConfigError

OPTION = "--device"
_VISIBLE = "CUDA_VISIBLE_DEVICES"
# TensorFlow and torch see no GPU; JAX starts its CPU only; Keras takes no Mac's GPU.
_CPU = {_VISIBLE: "-1", "JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu"}


def use_device(name: str) -> None:
    """Sets the environment so that a backend that is not started uses a device.

    Args:
        name: "cpu"; "gpu", all GPUs; or "gpu:N", one of them, counted from 0.

    Raises:
        ConfigError: The name has another form, or there is no such GPU in
            CUDA_VISIBLE_DEVICES.
    """
    kind, colon, index = name.partition(":")
    if name == "cpu":
        os.environ.update(_CPU)
        return
    if kind != "gpu" or bool(colon) != index.isdecimal():
        raise ConfigError(
            OPTION, f"is {name!r}; allowed are cpu, gpu, and gpu:N for one GPU"
        )
    if not index:
        return
    visible = os.environ.get(_VISIBLE)
    listed = visible.split(",") if visible else None
    if listed and int(index) >= len(listed):
        raise ConfigError(
            OPTION,
            f"is {name}, but {_VISIBLE}={visible} has GPUs 0 to {len(listed) - 1}",
        )
    os.environ[_VISIBLE] = listed[int(index)] if listed else index


def require_gpu(name: str) -> None:
    """Starts the backend and refuses to go on without a GPU.

    Args:
        name: The device asked for, "gpu" or "gpu:N".

    Raises:
        ConfigError: The backend finds no GPU.
    """
    from odapi.runtime.backend import load

    load()
    import keras

    from odapi.runtime.devices import computes_on_cpu

    if computes_on_cpu():
        raise ConfigError(
            OPTION,
            f"is {name}, but {keras.backend.backend()} finds no such GPU",
            hint="odapi doctor lists the devices; --device cpu computes on the CPU",
        )
