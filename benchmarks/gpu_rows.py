"""The measurements of `benchmarks.gpu`, each in a process of its own."""

import importlib.util
import math
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.gpu import ALL
from benchmarks.processes import median_ms

_SIDE = 8192  # Of the matrices whose product stands for what the card can do.
_THEIR_SIZE, _THEIR_CLASSES = 640, 91

for _package in ("cv2", "simplejpeg"):
    # Pictures are made here, not read: the library imports them, nothing calls them.
    if importlib.util.find_spec(_package) is None:
        sys.modules[_package] = mock.MagicMock()


def measure(row: str, batch: int, runs: int, start: float) -> dict[str, Any]:
    """Returns times in milliseconds, the share of the card, peak memory, device."""
    if row not in ALL:
        return _theirs(row.removeprefix("torchvision "), batch, runs, start)
    import keras

    return _ours(row, batch, runs, start) | _MACHINES[keras.backend.backend()]()


def _ours(name: str, batch: int, runs: int, start: float) -> dict[str, Any]:
    import keras

    import odapi
    from benchmarks.models_rows import batches, fit, load

    overrides = ["options.precision=BFLOAT16"]
    times = fit(ALL[name].path, batch, 5 + runs, start, overrides)
    detector = odapi.build_detector(load(ALL[name].path, overrides), seed=0)
    images = next(batches(detector, batch))[0]["images"]
    backend = keras.backend.backend()
    detect = _COMPILE[backend](lambda images: detector.detect({"images": images})[:2])
    network = _COMPILE[backend](lambda images: detector.call({"images": images}))
    infer = median_ms(lambda: _wait(detect(images)), runs)
    step = 1e3 * float(np.median(times["steps"][5:]))
    flop = 3 * _FLOP[backend](network, images)
    return {
        "step": step,
        "infer": infer,
        "first": times["import"] + times["build"] + times["first"],
        "share": flop / step / _matrix_rate(runs),
    }


def _wait(outputs: Any) -> None:
    from keras import ops

    first = outputs[0] if isinstance(outputs, tuple) else next(iter(outputs.values()))
    np.asarray(ops.convert_to_numpy(first))


def _matrix_rate(runs: int) -> float:
    """Returns floating-point operations a millisecond of a bfloat16 product."""
    import keras
    from keras import ops

    shape = (_SIDE, _SIDE)
    a = keras.random.normal(shape, dtype="bfloat16", seed=0)
    b = keras.random.normal(shape, dtype="bfloat16", seed=1)
    product = _COMPILE[keras.backend.backend()](
        lambda a, b: (ops.matmul(a, b)[:1, :1],)
    )
    return 2 * _SIDE**3 / median_ms(lambda: _wait(product(a, b)), runs)


def _theirs(name: str, batch: int, runs: int, start: float) -> dict[str, Any]:
    """A detector of torchvision, trained and run under autocast."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from torchvision.models import detection

    size = _THEIR_SIZE
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = getattr(detection, name)(
        weights=None, weights_backbone=None, num_classes=_THEIR_CLASSES,
        min_size=size, max_size=size,
    ).to(device, memory_format=torch.channels_last)  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    images = [torch.rand(3, size, size, device=device) for _ in range(batch)]
    truth = _their_objects(device)

    def step():
        with torch.autocast(device, torch.bfloat16):
            loss = sum(model(images, [truth] * batch).values())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    def infer():
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            return model(images)[0]["scores"].cpu()

    step()
    first = time.perf_counter() - start
    step_ms = median_ms(step, runs)
    model.eval()
    infer_ms = median_ms(infer, runs)
    with FlopCounterMode(display=False) as counter:
        infer()
    share = 3 * counter.get_total_flops() / step_ms / _matrix_rate(runs)
    times = {"step": step_ms, "infer": infer_ms, "first": first, "share": share}
    return times | _torch_machine()


def _their_objects(device: str) -> dict[str, Any]:
    import torch

    low = torch.rand(7, 2) * _THEIR_SIZE / 2
    boxes = torch.cat([low, low + 32 + torch.rand(7, 2) * _THEIR_SIZE / 3], -1)
    masks = torch.zeros(7, _THEIR_SIZE, _THEIR_SIZE, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int(), strict=True):
        mask[top:bottom, left:right] = 1
    truth = {"boxes": boxes, "labels": torch.arange(1, 8), "masks": masks}
    return {name: value.to(device) for name, value in truth.items()}


def _jax_flop(network: Callable, images: Any) -> float:
    import jax

    # On a card XLA cannot tell: its convolutions are calls of another library.
    return _flop_of(jax.make_jaxpr(network)(images).jaxpr)


def _flop_of(program: Any) -> float:
    """Counts those of convolutions and matrix products; a multiply-add is two."""
    total = 0.0
    for equation in program.eqns:
        for inner in equation.params.values():
            inner = getattr(inner, "jaxpr", inner)
            total += _flop_of(inner) if hasattr(inner, "eqns") else 0
        terms = _TERMS.get(equation.primitive.name)
        if terms is not None:
            left, right = (variable.aval for variable in equation.invars)
            total += 2.0 * equation.outvars[0].aval.size * terms(equation, left, right)
    return total


# How many products add up to one value of the output.
_TERMS: dict[str, Callable[..., float]] = {
    "conv_general_dilated": lambda equation, left, right: (
        right.size / right.shape[equation.params["dimension_numbers"].rhs_spec[0]]
    ),
    "dot_general": lambda equation, left, right: math.prod(
        left.shape[axis] for axis in equation.params["dimension_numbers"][0][0]
    ),
}


def _torch_flop(network: Callable, images: Any) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(images)
    return counter.get_total_flops()


def _jax_compile(function: Callable) -> Callable:
    import jax

    return jax.jit(function)


def _torch_compile(function: Callable) -> Callable:
    import torch

    return torch.no_grad()(function)  # As Keras runs it: without torch.compile.


def _jax_machine() -> dict[str, Any]:
    import jax

    device = jax.devices()[0]
    used = (device.memory_stats() or {}).get("peak_bytes_in_use", 0)
    return {"device": device.device_kind, "peak": used / 1024**3}


def _torch_machine() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"device": "cpu", "peak": 0.0}
    used = torch.cuda.max_memory_allocated()
    return {"device": torch.cuda.get_device_name(), "peak": used / 1024**3}


_FLOP = {"jax": _jax_flop, "torch": _torch_flop}
_COMPILE = {"jax": _jax_compile, "torch": _torch_compile}
_MACHINES = {"jax": _jax_machine, "torch": _torch_machine}
