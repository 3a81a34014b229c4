"""Measurements in processes of their own, with a backend and a number of threads."""

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SHARED = pathlib.Path(os.environ.get("ODAPI_SHARED", ROOT.parent / "shared"))

_MARK = "result:"


def in_process(
    module: str,
    options: Mapping[str, Any],
    backend: str = "tensorflow",
    threads: int = 2,
    python: str = sys.executable,
) -> Any:
    """Runs `python -m module --option value ...`; returns what it `tell`s.

    The process computes on the first `threads` cores, or on all where there are no
    more. None: the backend is not installed.

    Raises:
        RuntimeError: The process failed; with the end of what it wrote.
    """
    command, cores = [python, "-m", module], os.cpu_count() or 1
    threads = min(threads, cores)
    if threads < cores:
        command = ["taskset", "-c", f"0-{threads - 1}", *command]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
    }
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if _MARK in done.stdout:
        return read_result(done.stdout)
    if f"No module named '{backend}" in done.stderr:
        return None
    raise RuntimeError(f"{module} {dict(options)}: {done.stderr[-2000:]}")


def read_result(written: str) -> Any:
    """Returns what a process has told by `tell`, of what it wrote."""
    for line in written.splitlines():
        if line.startswith(_MARK):
            return json.loads(line.removeprefix(_MARK))
    raise ValueError(f"no line starts with {_MARK!r}: {written[-200:]}")


def tell(result: Any) -> None:
    """Hands a result to the process that asked for it."""
    print(_MARK + json.dumps(result))


def median_ms(call: Callable[[], Any], runs: int, unmeasured: int = 3) -> float:
    """Returns the median milliseconds of a call, after some that are not counted."""
    return in_turns(runs, call, unmeasured=unmeasured)[0]


def in_turns(
    runs: int, *calls: Callable[[], Any], unmeasured: int = 3
) -> tuple[float, ...]:
    """Returns the median milliseconds of each call, taken in turns."""
    times = []
    for _ in range(unmeasured + runs):
        row = []
        for call in calls:
            start = time.perf_counter()
            call()
            row.append(time.perf_counter() - start)
        times.append(row)
    medians = np.median(times[unmeasured:], axis=0)
    return tuple(1e3 * float(median) for median in medians)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Returns a table in Markdown; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
