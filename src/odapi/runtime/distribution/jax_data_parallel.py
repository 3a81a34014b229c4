"""Data parallelism on JAX: one program over the devices of all processes."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

from odapi.errors import ClusterError, ConfigError
from odapi.runtime.compat import variables_on_one_device
from odapi.runtime.distribution.cluster import Cluster
from odapi.runtime.distribution.gpu_share import use_gpu_share
from odapi.runtime.distribution.jax_processes import Group, connect
from odapi.runtime.distribution.strategy import Strategy
from odapi.wording import counted

OPTION = "--devices"


class JaxDataParallel(Strategy):
    """Divides batches among devices with `keras.distribution.DataParallel`.

    XLA compiles one program for the global batch: losses and gradients are those of a
    single device up to rounding, and batch norm sees the global batch.

    Args:
        devices: Devices of this process; None: all.
        cluster: The processes; None: this one.

    Raises:
        ConfigError: There are fewer devices.
        ClusterError: The other processes cannot be reached, or have other devices.
    """

    shares_batch_norm = True

    def __init__(self, devices: int | None, cluster: Cluster | None = None):
        self._group: Group | None = None
        if cluster is not None and cluster.num_processes > 1:
            use_gpu_share(cluster, devices)
            self._group = connect(cluster)
            self.num_processes = cluster.num_processes
            self.process_id = cluster.process_id
        self._source = cluster.source if cluster else ""
        import jax

        found = jax.local_devices()
        number = len(found) if devices is None else devices
        if number > len(found):
            raise self._failed(too_few(number, len(found), found[0].platform))
        self._platform = found[0].platform
        self._check_equal(number)
        chosen = _first_of_each(jax.devices(), number)
        self.num_devices = len(chosen)
        self._distribution = keras.distribution.DataParallel(
            devices=[f"{d.platform}:{d.id}" for d in chosen], auto_shard_dataset=False
        )

    def lines(self) -> list[str]:
        """Returns the number of devices and processes."""
        devices = counted(self.num_devices, f"{self._platform.upper()} device")
        if self.num_processes == 1:
            return [f"Devices: {devices}, data parallel"]
        source = f" ({self._source})" if self._source else ""
        return [
            f"Devices: {devices} of {self.num_processes} processes{source}, data "
            "parallel"
        ]

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context in which variables are on all devices."""
        return self._distribution.scope()

    @contextlib.contextmanager
    def local(self, model: keras.Model) -> Iterator[None]:
        """Within this context, the model runs on the first device of this process."""
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            with variables_on_one_device(model.variables):
                yield
        finally:
            keras.distribution.set_distribution(before)

    def together(self) -> contextlib.AbstractContextManager[Any]:
        """See `Strategy.together`."""
        return self._group.together() if self._group else super().together()

    def gather(self, value: Any) -> list[Any]:
        """See `Strategy.gather`."""
        return self._group.channel.gather(value) if self._group else [value]

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """See `Strategy.on_chief`."""
        return self._group.channel.broadcast(function) if self._group else function()

    def should_stop(self, reason: str) -> str:
        """See `Strategy.should_stop`."""
        return self._group.channel.should_stop(reason) if self._group else reason

    def _check_equal(self, number: int) -> None:
        """Checks that all processes have as many devices, of the same kind."""

        def problem() -> str:
            for process, other in enumerate(found):
                if other != found[0]:
                    return f"process {process} has {_shown(other)}"
            return ""

        found = self.gather([number, self._platform])
        text = self.on_chief(problem)
        if text:
            raise self._failed(
                ClusterError(
                    OPTION,
                    f"{text}, and process 0 has others",
                    hint="the number and kind of devices must be equal: "
                    "give every process the same --devices and --device",
                )
            )

    def _failed(self, error: Exception) -> Exception:
        """Ends the other processes, since `together` is not entered yet."""
        if self._group is not None:
            self._group.fail(error)
        return error


def _shown(devices: list[Any]) -> str:
    return counted(devices[0], f"{devices[1].upper()} device")


def _first_of_each(devices: list[Any], number: int) -> list[Any]:
    """Returns the first devices of each process, in the order of the processes."""
    used: dict[int, list[Any]] = {}
    for device in sorted(devices, key=lambda d: (d.process_index, d.id)):
        used.setdefault(device.process_index, []).append(device)
    return [device for own in used.values() for device in own[:number]]


def too_few(wanted: int, found: int, platform: str) -> ConfigError:
    """Returns the error for more devices than there are."""
    virtual = f"XLA_FLAGS=--xla_force_host_platform_device_count={wanted}"
    hint = f"use --devices {found} or fewer"
    if platform == "cpu":
        hint = f"{hint}; {virtual} makes virtual ones for tests, which share the cores"
    return ConfigError(
        OPTION,
        f"is {wanted}, but JAX finds {counted(found, f'{platform.upper()} device')}",
        hint=hint,
    )
