"""`batch_size="auto"`: the largest batch whose training steps fit into memory.

Steps at batches of 1, 2, 4, ... are measured, each in a process of its own, until their
memory differs enough for a line through it; the batch is where the line meets the
available memory less a margin. That batch is tried, too, and smaller ones if it fails.
"""

import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from odapi.build.dataset import build_train_dataset
from odapi.checkpoints import folder as folders
from odapi.config.load import Config, load_config, options
from odapi.data.loader.pipeline import Pipeline
from odapi.errors import ConfigError
from odapi.runtime.devices import computes_on_cpu
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.memory import Memory, shown, training_memory
from odapi.training.given_data import GivenData
from odapi.training.given_model import GivenModel
from odapi.training.memory_probe import Measured, Sample, measure
from odapi.training.messages import print_lines
from odapi.training.prefetcher import as_pair

AUTO = "auto"
MARGIN = 0.15  # Share of the available memory that is left free.
_MAX_TRIED = 64
_MAX_BATCH = 1024
_ENOUGH_GROWTH = 300 * 1024**2  # Bytes between measurements; less is mostly noise.
_SAMPLES = 8  # The largest of so many images is measured.
_FIELD = "train_config.batch_size"

_SINGLE = Strategy()

Probe = Callable[[int, int], Measured | None]


class AutoBatch(NamedTuple):
    """A batch size, and where it comes from.

    Args:
        batch_size: Images per update.
        measured: The measurements, by batch size.
        fixed, per_image: The line through them, in bytes.
        memory: Memory of the device.
    """

    batch_size: int
    measured: tuple[Measured, ...]
    fixed: float
    per_image: float
    memory: Memory

    def lines(self) -> list[str]:
        """Returns the result and the figures behind it."""
        tried = ", ".join(
            f"{shown(m.peak)} at batch {m.batch_size}" for m in self.measured
        )
        return [
            f"{_FIELD} is {self.batch_size} (auto): measured {tried}, so "
            f"{shown(self.fixed)} and {shown(self.per_image)} per image; "
            f"{shown(self.memory.available)} of {self.memory.place} are available, "
            f"{MARGIN:.0%} of them are left free"
        ]


def find_batch_size(
    probe: Probe, memory: Memory, multiple: int, largest: int
) -> AutoBatch:
    """Returns the largest batch that fits.

    It is tried: large blocks of memory fragment, so that on two CPU cores a batch of
    128, of 19 GB by the line, needed more than 24.

    Args:
        probe: `(batch size, limit in bytes)`: measures steps; None: above the limit.
        memory: Memory of the device.
        multiple: Batches are multiples of this number.
        largest: Largest batch.

    Raises:
        ConfigError: The smallest batch does not fit.
    """
    usable = int(memory.available * (1.0 - MARGIN))
    measured = _measurements(probe, usable, multiple, largest)
    fixed, per_image = _line(measured)
    batch = int((usable - fixed) / per_image) if per_image > 0 else largest
    batch = max(measured[-1].batch_size, min(batch, largest) // multiple * multiple)
    while batch > measured[-1].batch_size:
        if (found := probe(batch, usable)) is not None:
            measured.append(found)
            break
        batch = max(measured[-1].batch_size, int(batch * 0.9) // multiple * multiple)
    return AutoBatch(batch, tuple(measured), fixed, per_image, memory)


def _measurements(
    probe: Probe, usable: int, multiple: int, largest: int
) -> list[Measured]:
    measured: list[Measured] = []
    batch = multiple
    while batch <= max(multiple, min(_MAX_TRIED * multiple, largest)):
        if measured and not _may_try(measured, batch, usable):
            break
        found = probe(batch, usable)
        if found is None:
            break
        measured.append(found)
        if found.peak - measured[0].peak >= _ENOUGH_GROWTH and len(measured) > 1:
            break
        batch *= 2
    if measured:
        return measured
    images = "one image" if multiple == 1 else f"a batch of {multiple}"
    raise ConfigError(
        _FIELD,
        f"auto: {images} needs more than {shown(usable)}, which is available less "
        f"{MARGIN:.0%}",
        hint="use smaller images or a smaller model, options.rematerialization=true or "
        "options.precision=BFLOAT16",
    )


def _may_try(measured: Sequence[Measured], batch: int, usable: int) -> bool:
    """Returns whether a batch surely fits, by what was measured so far."""
    last = measured[-1]
    grown = last.peak - last.before
    return last.before + grown * batch / last.batch_size <= usable


def _line(measured: Sequence[Measured]) -> tuple[float, float]:
    """Returns the memory of no image, and the memory per image."""
    if len(measured) == 1:
        only = measured[0]
        return float(only.before), (only.peak - only.before) / only.batch_size
    # In whole numbers: a solver's rounding, which differs between processors, could
    # cost one image where the line meets the memory at a whole batch.
    batches, peaks = [m.batch_size for m in measured], [m.peak for m in measured]
    n, x, y = len(measured), sum(batches), sum(peaks)
    slope = n * sum(b * p for b, p in zip(batches, peaks, strict=True)) - x * y
    scale = n * sum(b * b for b in batches) - x * x
    start = (y * scale - slope * x) / (n * scale)
    return start, max(slope / scale, 0.0)


def set_auto_batch(
    config: Config,
    model_dir: pathlib.Path,
    data: GivenData,
    model: GivenModel | None,
    strategy: Strategy = _SINGLE,
) -> None:
    """Sets the batch size of a config to the largest that fits, and prints it.

    A run that is resumed keeps its batch size.

    Raises:
        ConfigError: Several devices share a batch, or see `auto_batch`.
        DataError: The training data cannot be read.
    """
    checkpoint = folders.latest(model_dir)
    if checkpoint is not None:
        saved = load_config(checkpoint / folders.CONFIG).train_config.batch_size
        config.train_config.batch_size = saved
        print_lines(f"{_FIELD} is {saved} (auto): that of the run is kept")
        return
    if strategy.num_devices > 1:
        raise _several(strategy.num_devices)
    config.train_config.batch_size = 1
    source = data.train_source(config, model.label_map if model else None)
    pipeline = build_train_dataset(config, source=source)
    try:
        found = auto_batch(config, pipeline)
    finally:
        pipeline.close()
    config.train_config.batch_size = found.batch_size
    print_lines(*found.lines())


def _several(devices: int) -> ConfigError:
    return ConfigError(
        "--batch-size",
        f"is auto, which measures one device, and {devices} devices share each batch",
        hint="--batch-size auto --dry-run without --devices prints the size of one; "
        f"set --batch-size to {devices} times that",
    )


def auto_batch(config: Config, pipeline: Pipeline) -> AutoBatch:
    """Returns the batch size for a config, measured on this machine.

    Args:
        config: The config of the training; its batch size is not read.
        pipeline: Training data in batches of one image.

    Raises:
        ConfigError: There are several devices, the memory is unknown, or one image
            does not fit.
    """
    if keras.distribution.distribution() is not None:
        raise ConfigError(
            _FIELD,
            "auto measures one device, and keras.distribution uses several",
            hint="measure on one device, and multiply the batch by their number",
        )
    memory = training_memory()
    if memory is None:
        raise ConfigError(
            _FIELD, "auto: the memory of this machine is unknown", hint="set a number"
        )
    # Decoded images of the cache are not there yet.
    cache = options(config).data_loading.cache_mb * 1024**2
    if computes_on_cpu():
        memory = memory._replace(available=max(0, memory.available - cache))
    sample = largest_sample(pipeline)
    return find_batch_size(
        lambda batch, limit: measure(config, sample, batch, limit),
        memory,
        multiple=max(1, options(config).gradient_accumulation),
        largest=min(_MAX_BATCH, pipeline.num_images),
    )


def largest_sample(pipeline: Any) -> Sample:
    """Returns the largest of the first images as `fit` gets them."""
    samples = []
    number = 1 if pipeline.has_one_size else _SAMPLES
    for batch, _ in zip(pipeline, range(number), strict=False):
        x, y = as_pair(batch, getattr(pipeline, "pads", True))
        samples.append(Sample(_first(x), _first(y)))
    return max(samples, key=lambda sample: math.prod(sample.x["images"].shape))


def _first(arrays: Any) -> dict[str, np.ndarray]:
    return {name: np.asarray(value)[:1] for name, value in arrays.items()}
