"""Chooses the strategy of a training by its backend, devices and processes."""

import keras

from odapi.errors import ConfigError
from odapi.runtime.distribution.cluster import Cluster
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.distribution.unsupported import one_device_of_torch, one_process

OPTION = "--devices"


def choose_strategy(
    devices: int | None = None, cluster: Cluster | None = None
) -> Strategy:
    """Returns the strategy of a training; connects to the other processes, if any.

    Call it before the backend computes anything.

    Args:
        devices: Devices of this process; None: one, and all in a cluster.
        cluster: The processes that train together; None: this one.

    Raises:
        ConfigError: There are fewer devices, the backend cannot use several, or the
            other processes cannot be reached.
    """
    if devices is not None and devices < 1:
        raise ConfigError(OPTION, f"must be 1 or more, got {devices}")
    backend = keras.backend.backend()
    if backend == "tensorflow":
        _check_no_scope()
    if cluster is None and devices in (None, 1):
        return Strategy()
    _check_no_other()
    if backend == "jax":
        from odapi.runtime.distribution.jax_data_parallel import JaxDataParallel

        return JaxDataParallel(devices, cluster)
    if backend == "tensorflow" and cluster is None and devices is not None:
        from odapi.runtime.distribution.tensorflow_mirrored import TensorflowMirrored

        return TensorflowMirrored(devices)
    if cluster is not None:
        raise one_process(backend)
    raise one_device_of_torch()


def _check_no_other() -> None:
    """Raises ConfigError if the program has set a distribution of its own."""
    if keras.distribution.distribution() is not None:
        raise ConfigError(
            OPTION,
            "is given beside keras.distribution.set_distribution",
            hint="leave out one of the two",
        )


def _check_no_scope() -> None:
    """Raises ConfigError within the scope of a strategy of the user's program."""
    import tensorflow as tf

    if tf.distribute.has_strategy():
        kind = type(tf.distribute.get_strategy()).__name__
        raise ConfigError(
            "odapi.train",
            f"is called within the scope of a {kind}",
            hint="leave the scope and give the number of devices: devices=2",
        )
