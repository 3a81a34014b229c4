"""Chooses the strategy of a training by its backend, devices and processes."""

import keras

from odapi.errors import ConfigError
from odapi.runtime.distribution.cluster import Cluster
from odapi.runtime.distribution.strategy import Strategy

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
    if cluster is None and devices in (None, 1):
        return Strategy()
    _check_no_other()
    backend = keras.backend.backend()
    if backend == "jax":
        from odapi.runtime.distribution.jax_data_parallel import JaxDataParallel

        return JaxDataParallel(devices, cluster)
    place = OPTION if cluster is None else "--coordinator"
    raise ConfigError(
        place,
        f"several devices or processes train on JAX, and the backend is {backend}",
        hint="--backend jax; checkpoints are the same on every backend",
    )


def _check_no_other() -> None:
    """Raises ConfigError if the program has set a distribution of its own."""
    if keras.distribution.distribution() is not None:
        raise ConfigError(
            OPTION,
            "is given beside keras.distribution.set_distribution",
            hint="leave out one of the two",
        )
