"""Estimate of the memory of a training, before its first step."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import tree

from odapi.models.detector import Detector
from odapi.models.inputs import as_groundtruth, as_inputs
from odapi.runtime.compat import child_layers, flatten_layers
from odapi.runtime.devices import computes_on_cpu
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.layer_calls import Call, trace, wrapped_calls
from odapi.runtime.memory import Memory, resident, shown, training_memory


class MemoryEstimate(NamedTuple):
    """Memory of a training in bytes, by its parts.

    Args:
        process: Of the process as it is, on a CPU: programs, data, and the weights.
        weights: Weights of the model, where they are not part of `process`.
        gradients: One value per trained weight.
        optimizer: Slots of the optimizer and moving averages.
        activations: Outputs of the layers for one part of a batch.
        batches: Batches that are prepared ahead.
    """

    process: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    batches: int

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return sum(self)

    def line(self) -> str:
        """Returns the estimate as a line of text."""
        parts = ", ".join(
            f"{name} {shown(size)}" for name, size in self._asdict().items() if size
        )
        return f"{shown(self.total)} estimated ({parts})"


def estimate_memory(
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    inputs: Mapping[str, Any],
    truth: Mapping[str, Any],
    parts: int = 1,
    prefetched: int = 2,
    devices: int = 1,
    before: int | None = None,
) -> MemoryEstimate:
    """Returns the memory that training with such batches needs.

    Args:
        detector: Built.
        optimizer: Built.
        inputs, truth: A batch, as `fit` gets it.
        parts: Parts that a batch is computed in.
        prefetched: Batches that are prepared ahead.
        devices: Devices of this process that share the batch. Those of a CPU share its
            memory; of accelerators, the memory of one is meant.
        before: Memory of the process before its first step, on a CPU: afterwards it
            has that of a step as well. None: as it is.
    """
    on_cpu = computes_on_cpu()
    parts = parts if on_cpu else parts * devices
    batch = _bytes(tree.flatten((inputs, truth)))
    process = (resident() or 0) if before is None else before
    process = process if on_cpu else 0
    return MemoryEstimate(
        process=process,
        weights=0 if process else _bytes(detector.variables),
        gradients=_bytes(detector.trainable_variables) * (devices if on_cpu else 1),
        # On a CPU they are part of the process.
        optimizer=0 if process else _bytes(optimizer.variables),
        activations=activation_bytes(detector, inputs, truth, parts),
        batches=batch * (prefetched + 1) if on_cpu else batch // devices,
    )


def activation_bytes(
    detector: Detector, inputs: Mapping[str, Any], truth: Mapping[str, Any], parts: int
) -> int:
    """Returns the bytes of the layers' outputs for a part of a batch.

    The step is traced without computing anything.
    """
    specs = tree.map_structure(
        lambda value: keras.KerasTensor(
            (max(1, value.shape[0] // parts), *value.shape[1:]),
            keras.backend.standardize_dtype(value.dtype),
        ),
        (dict(inputs), dict(truth)),
    )
    sizes: list[int] = []

    def recorded(_: keras.layers.Layer, call: Call) -> Call:
        def call_recorded(*arguments: Any, **keywords: Any) -> Any:
            outputs = call(*arguments, **keywords)
            sizes.append(_bytes(tree.flatten(outputs)))
            return outputs

        return call_recorded

    def step(x: Any, y: Any) -> Any:
        outputs = detector(x, training=True)
        groundtruth = as_groundtruth(y, detector.groundtruth_fields)
        given = as_inputs(x, detector.num_channels)
        return detector.loss_parts(outputs, groundtruth, given, training=True)

    with wrapped_calls(_leaves(detector), recorded):
        trace(step, *specs)
    return sum(sizes)


def estimate_run(
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    pair: tuple[Mapping[str, Any], Mapping[str, Any]],
    pipeline: Any,
    parts: int,
    strategy: Strategy,
    before: int,
) -> tuple[MemoryEstimate, list[str]]:
    """Returns the memory of a run, and a warning if there is not as much.

    Args:
        detector, optimizer: Built.
        pair: The first batch, as `fit` gets it.
        pipeline: The training data.
        parts: Parts that a batch is computed in.
        strategy: The devices and processes.
        before: Memory of the process before its first step.
    """
    devices = strategy.num_devices // strategy.num_processes
    ahead = pipeline.prefetch
    found = estimate_memory(detector, optimizer, *pair, parts, ahead, devices, before)
    line = warning_line(found.total, training_memory(), pipeline.batch_size)
    return found, [line] if line else []


def warning_line(needed: int, memory: Memory | None, batch_size: int) -> str:
    """Returns a warning if a training needs more memory than there is, or ""."""
    if memory is None or needed <= memory.total:
        return ""
    return (
        f"MemoryWarning: about {shown(needed)} are needed for batches of {batch_size}, "
        f"and there are {shown(memory.total)} of {memory.place}; try "
        "--batch-size auto, options.gradient_accumulation or options.rematerialization"
    )


def _leaves(detector: Detector) -> list[keras.layers.Layer]:
    return [layer for layer in flatten_layers(detector) if not child_layers(layer)]


def _bytes(arrays: Iterable[Any]) -> int:
    total = 0
    for array in arrays:
        dtype = keras.backend.standardize_dtype(array.dtype)
        size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
        total += math.prod(int(n) for n in array.shape) * size
    return total
