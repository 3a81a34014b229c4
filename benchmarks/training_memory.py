"""Memory and time of training steps with the options that save memory.

    python -m benchmarks.training_memory CONFIG SIZE BATCH [--rounds 1]

Measures three training steps of a pipeline.config at random images `SIZE x SIZE`, per
option in a process of its own, in turns, on the backend of KERAS_BACKEND, and prints a
table: peak memory, that before the first step, their difference, and the time of the
last step. Start weights are random.
"""

import argparse
import os
import statistics

import numpy as np

from odapi.config.load import load_config
from odapi.runtime import backend
from odapi.runtime.memory import host_memory
from odapi.training.memory_probe import Measured, Sample, measure

_OPTIONS = {
    "plain": (),
    "rematerialization": ("options.rematerialization=true",),
    "gradient_accumulation: 4": ("options.gradient_accumulation=4",),
    "both": (
        "options.rematerialization=true",
        "options.gradient_accumulation=4",
    ),
}
_OBJECTS = 5
_MB = 1024**2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("size", type=int)
    parser.add_argument("batch", type=int)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--options", nargs="*", default=list(_OPTIONS))
    options = parser.parse_args()
    backend.load()
    import keras

    memory = host_memory()
    limit = memory.available if memory else 2**40
    rows: dict[str, list[Measured]] = {name: [] for name in options.options}
    for _ in range(options.rounds):
        for name, found in rows.items():
            overrides = ["train_config.fine_tune_checkpoint=", *_OPTIONS[name]]
            config = load_config(options.config, overrides)
            measured = measure(config, _sample(options.size), options.batch, limit)
            if measured is not None:
                found.append(measured)
    print(f"{keras.backend.backend()}, load {os.getloadavg()[0]:.0f}\n")
    print("| option | peak, MB | before, MB | steps, MB | seconds per step |")
    print("|---|---:|---:|---:|---:|")
    for name, found in rows.items():
        print(_row(name, found), flush=True)


def _row(name: str, found: list[Measured]) -> str:
    if not found:
        return f"| {name} | more than available | | | |"
    peak, before = max(m.peak for m in found), max(m.before for m in found)
    seconds = statistics.median(m.seconds for m in found)
    values = [f"{n / _MB:.0f}" for n in (peak, before, peak - before)]
    return f"| {name} | {' | '.join(values)} | {seconds:.2f} |"


def _sample(size: int) -> Sample:
    valid = np.arange(100)[None] < _OBJECTS
    boxes = np.tile(np.array([0.1, 0.1, 0.6, 0.6], "float32"), (1, 100, 1))
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3))
    return Sample(
        {
            "images": pixels.astype("uint8"),
            "true_size": np.full((1, 2), size, "int32"),
        },
        {
            "boxes": boxes,
            "classes": np.zeros((1, 100), "int32"),
            "valid": valid,
            "weights": valid.astype("float32"),
        },
    )


if __name__ == "__main__":
    main()
