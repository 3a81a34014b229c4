"""Checks of a config against the devices, and notes about them."""

import keras

from odapi.config.load import Config, options
from odapi.errors import ConfigError
from odapi.models.batch_statistics import batch_norms
from odapi.models.detector import Detector
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.accumulation import cannot_accumulate
from odapi.training.auto_precision import is_auto
from odapi.training.process_checks import check_alone
from odapi.wording import counted

_SINGLE = Strategy()


def check_options(config: Config, strategy: Strategy) -> None:
    """Checks the options that depend on the devices or on other processes.

    Raises:
        ConfigError: The devices cannot train by this config.
    """
    train, ours = config.train_config, options(config)
    parts = max(1, ours.gradient_accumulation)
    check_batch_size(train.batch_size // parts, strategy)
    check_alone(strategy, "options.gradient_accumulation", parts > 1)
    if parts > 1 and not strategy.accumulates:
        raise cannot_accumulate(parts)
    check_alone(strategy, "options.precision: AUTO", is_auto(config))


def check_batch_size(batch_size: int, strategy: Strategy = _SINGLE) -> None:
    """Checks that a batch divides by the devices.

    These are those of the strategy; or those of `keras.distribution`, if the user's
    program has set it up.

    Raises:
        ConfigError: It does not.
    """
    devices, what = _devices(strategy)
    if batch_size % devices == 0:
        return
    below, above = batch_size // devices * devices, -(-batch_size // devices) * devices
    fitting = [str(size) for size in (below, above) if size]
    images = "1 image does" if batch_size == 1 else f"{batch_size} images do"
    raise ConfigError(
        "train_config.batch_size",
        f"{images} not divide by {devices} devices ({what})",
        hint=f"use {' or '.join(fitting)}, or fewer devices",
    )


def batch_norm_lines(detector: Detector, strategy: Strategy) -> list[str]:
    """Returns a note if batch norms are to see one device, but see all; else none.

    The original normalizes by the images of each device, unless a config has
    `sync_batch_norm`.
    """
    if not strategy.shares_batch_norm or strategy.num_devices == 1:
        return []
    norms = batch_norms(detector)
    number = sum(not getattr(norm, "synchronized", False) for norm in norms)
    if not number:
        return []
    return [
        f"note: batch_norm in the config ({counted(number, 'layer')}) uses the "
        f"statistics of the whole batch, not of each of the {strategy.num_devices} "
        f"devices, as sync_batch_norm does: on {keras.backend.backend()}, one program "
        "trains all devices"
    ]


def _devices(strategy: Strategy) -> tuple[int, str]:
    """Returns the number of devices that share a batch, and where it is set."""
    if strategy.num_processes > 1:
        processes = counted(strategy.num_processes, "process", "processes")
        return strategy.num_devices, f"of {processes}; it is the batch of all of them"
    if strategy.num_devices > 1:
        return strategy.num_devices, "--devices; it is the batch of all of them"
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return 1, ""
    mesh = distribution.device_mesh
    if distribution.batch_dim_name not in mesh.axis_names:
        return 1, ""
    devices = mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
    return devices, f"keras.distribution: {type(distribution).__name__}"
