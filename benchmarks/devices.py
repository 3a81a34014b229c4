"""Training steps on one and several devices, and in several processes.

    python -m benchmarks.devices                  # writes results/devices.md
    python -m benchmarks.devices --devices 1,2,4,8 --batch 64 --dry-run

Every row is a training of its own on a batch of noise that stays; the rows run in
turns, `--rounds` times each. With GPUs, every device is a GPU. Without one, the devices
are virtual and share the cores: the table then says what dividing a batch costs, not
what it gains. Losses are those of the first steps, compared with one device at the same
global batch on the same backend.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
from typing import Any, NamedTuple

from benchmarks.models import MODELS
from benchmarks.processes import RESULTS, ROOT, read_result, table, tell
from benchmarks.step_clock import timed_fit

_COMPARED, _COUNTED = 2, 6  # Steps: of the losses; that are timed after these.
_BACKENDS = ("jax", "tensorflow")


class Row(NamedTuple):
    """A training: `processes` with `devices` each, and the batch of all together."""

    backend: str
    processes: int
    devices: int
    batch: int

    @property
    def reference(self) -> "Row":
        """The training on one device with the same batch."""
        return self._replace(processes=1, devices=1)


def main() -> None:
    args = _arguments()
    if args.row:
        tell(_train(MODELS[args.model].path, *json.loads(args.row)))
        return
    rows = _rows([int(n) for n in args.devices.split(",")], args.batch)
    found: dict[Row, list[dict]] = {row: [] for row in rows}
    for _ in range(args.rounds):
        for row, results in found.items():
            results.append(_measure(row, args.model))
            print(*row, results[-1], flush=True)
    text = _report(found, args)
    print(text)
    if not args.dry_run:
        (RESULTS / "devices.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(MODELS), default="fpnlite_320")
    parser.add_argument("--devices", default="1,2", help="numbers of devices")
    parser.add_argument("--batch", type=int, default=4, help="of one device")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def _rows(numbers: list[int], batch: int) -> list[Row]:
    """Returns each number of devices at the batch of one, and at a batch per device."""
    rows = []
    for backend in _BACKENDS:
        for number in numbers:
            for size in dict.fromkeys((batch, batch * number)):
                rows.append(Row(backend, 1, number, size))
                rows.append(Row(backend, 1, 1, size))
                if backend == "jax" and number > 1:
                    rows.append(Row(backend, number, 1, size))
    return sorted(set(rows), key=lambda r: (r.backend, r.batch, r[1:3]))


def _measure(row: Row, model: str) -> dict:
    """Returns the losses and the milliseconds of a step of process 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    flag = f"--xla_force_host_platform_device_count={row.devices}"
    environment = os.environ | {
        "KERAS_BACKEND": row.backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip(),
    }
    started = []
    for process in range(row.processes):
        cluster = [address, row.processes, process] if row.processes > 1 else None
        what = json.dumps([row.devices, row.batch, cluster])
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.devices", "--model", model]
                + ["--row", what],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    written = [process.communicate() for process in started]
    for process, (_, errors) in zip(started, written, strict=True):
        if process.returncode:
            raise RuntimeError(f"{row}: {errors[-2000:]}")
    return read_result(written[0][0])


def _train(
    config: pathlib.Path, devices: int, batch: int, cluster: list | None
) -> dict[str, Any]:
    """Trains in this process; returns losses, milliseconds and the kind of device."""
    from odapi.runtime import backend

    backend.load()
    import keras

    import odapi
    from benchmarks.models_rows import batches, load
    from odapi.build.optimizer import build_optimizer
    from odapi.data.loader.malloc import keep_freed_memory
    from odapi.runtime.determinism import seed_everything
    from odapi.runtime.distribution.choose import choose_strategy

    keep_freed_memory()  # As the command does.
    loaded = load(config)
    # The reference has no strategy, as a training on one device.
    strategy = choose_strategy(
        None if devices == 1 else devices, odapi.Cluster(*cluster) if cluster else None
    )
    with strategy.together():
        seed_everything(0, deterministic=False)
        with strategy.scope():
            detector = odapi.build_detector(loaded, seed=0)
            optimizer = build_optimizer(loaded).optimizer
            optimizer.build(detector.trainable_variables)
            detector.compile(optimizer=optimizer)
            size = batch // strategy.num_processes
            own = slice(strategy.process_id * size, (strategy.process_id + 1) * size)
            parts = (
                keras.tree.map_structure(lambda array: array[own], pair)
                for pair in batches(detector, batch)
            )
            steps = timed_fit(detector, parts, _COMPARED + _COUNTED)
    return {
        "losses": [step.loss for step in steps[:_COMPARED]],
        "ms": statistics.median(step.ms[0] for step in steps[_COMPARED:]),
        "kind": strategy.lines()[0] if strategy.lines() else "",
    }


def _report(found: dict[Row, list[dict]], args: argparse.Namespace) -> str:
    ms = {row: statistics.median(r["ms"] for r in found[row]) for row in found}
    lines = []
    for row, results in found.items():
        base = row.reference
        alone = row == base
        lines.append(
            [
                row.backend,
                str(row.processes),
                str(row.devices),
                str(row.batch),
                f"{ms[row]:.0f}",
                f"{1e3 * row.batch / ms[row]:.1f}",
                "1" if alone else f"{ms[base] / ms[row]:.2f}",
                "-" if alone else f"{_gap(results[0], found[base][0]):.0e}",
            ]
        )
    head = ["backend", "processes", "devices of each", "batch of all", "step, ms"]
    head += ["images/s", "times one device", "difference of the losses"]
    kinds = sorted({r["kind"] for rs in found.values() for r in rs if r["kind"]})
    return (
        "# Training on several devices\n\n"
        f"`python -m benchmarks.devices --model {args.model} --devices {args.devices} "
        f"--batch {args.batch} --rounds {args.rounds}`\n\n"
        f"{os.cpu_count()} cores. {'; '.join(kinds)}.\nMedians of {args.rounds} "
        f"trainings, each the median of {_COUNTED} steps. The losses are those of\nthe "
        f"first {_COMPARED} steps; the difference is relative.\n\n" + table(head, lines)
    )


def _gap(found: dict, expected: dict) -> float:
    pairs = zip(found["losses"], expected["losses"], strict=True)
    return max(abs(a - b) / abs(b) for a, b in pairs)


if __name__ == "__main__":
    main()
