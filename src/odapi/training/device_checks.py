"""Checks of the batch size against the devices that a user's program set up."""

import keras

from odapi.errors import ConfigError


def check_batch_size(batch_size: int) -> None:
    """Checks that a batch divides by the devices of `keras.distribution`.

    Raises:
        ConfigError: It does not.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return
    mesh = distribution.device_mesh
    if distribution.batch_dim_name not in mesh.axis_names:
        return
    devices = mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
    if batch_size % devices == 0:
        return
    below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
    fitting = [str(size) for size in (below, above) if size]
    images = "1 image does" if batch_size == 1 else f"{batch_size} images do"
    raise ConfigError(
        "train_config.batch_size",
        f"{images} not divide by {devices} devices "
        f"(keras.distribution: {type(distribution).__name__})",
        hint=f"use {' or '.join(fitting)}, or fewer devices",
    )
