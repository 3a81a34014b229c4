"""Data parallelism on TensorFlow: one replica of the model per device."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import keras

from odapi.errors import ConfigError
from odapi.runtime.distribution.strategy import Strategy
from odapi.wording import counted

OPTION = "--devices"


class TensorflowMirrored(Strategy):
    """Divides batches among devices with `tf.distribute.MirroredStrategy`.

    Every device runs the step on its part of the batch, and gradients are added; see
    `replicas.py` for what makes losses those of a single device. Batch norm that is not
    synchronized sees the images of its device.

    Args:
        devices: Number of devices: GPUs, or where there are none, logical devices that
            share the cores of the CPU.

    Raises:
        ConfigError: There are fewer GPUs, or TensorFlow has started with fewer CPUs.
    """

    accumulates = False

    def __init__(self, devices: int):
        import tensorflow as tf

        self.num_devices = devices
        gpus = tf.config.list_physical_devices("GPU")
        self._kind = "GPU" if gpus else "CPU"
        if not gpus:
            _make_cpus(devices)
        elif (found := len(tf.config.list_logical_devices("GPU"))) < devices:
            raise _too_few(devices, counted(found, "GPU"))
        # GPUs use NCCL by default; collectives of CPUs block each other's threads.
        operations = None if gpus else tf.distribute.ReductionToOneDevice()
        with _without_notes():
            self._strategy = tf.distribute.MirroredStrategy(
                [f"/{self._kind}:{i}" for i in range(devices)], operations
            )
        self._scopes: list[Any] = []

    def lines(self) -> list[str]:
        """Returns the number of devices."""
        return [f"Devices: {counted(self.num_devices, self._kind)}, data parallel"]

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Within this context, variables are created on all devices."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    @contextlib.contextmanager
    def local(self, model: keras.Model) -> Iterator[None]:
        """Within this context, models run on the first device.

        A model that is made here does not divide its batches.
        """
        entered = len(self._scopes)
        for _ in range(entered):
            self._leave()
        try:
            yield
        finally:
            for _ in range(entered):
                self._enter()

    def _enter(self) -> None:
        self._scopes.append(self._strategy.scope())
        self._scopes[-1].__enter__()

    def _leave(self) -> None:
        self._scopes.pop().__exit__(None, None, None)


def _make_cpus(number: int) -> None:
    """Makes logical CPU devices, unless there are as many."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    made = tf.config.get_logical_device_configuration(cpu) or [None]
    if len(made) >= number:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration() for _ in range(number)]
        )
    except RuntimeError as error:
        raise _too_few(number, counted(len(made), "CPU device")) from error


def _too_few(wanted: int, found: str) -> ConfigError:
    hint = "use fewer devices"
    if "CPU" in found:
        hint = (
            "TensorFlow has no GPU here and has computed before; logical CPU devices "
            "are made at its start: train in a new process"
        )
    return ConfigError(OPTION, f"is {wanted}, but TensorFlow finds {found}", hint=hint)


@contextlib.contextmanager
def _without_notes() -> Iterator[None]:
    """Within this context, TensorFlow logs errors only, not the devices it takes."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
