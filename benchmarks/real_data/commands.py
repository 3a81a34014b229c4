"""Runs `odapi` as a user does, and tells what it cost."""

import dataclasses
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

from benchmarks.processes import ROOT, SHARED

BACKBONE = SHARED / "pretrained" / "mobilenet_v2_imagenet.npz"
PICTURES = ROOT / "docs" / "images"


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a command took, in seconds: of the clock, and of all cores together."""

    wall: float
    cpu: float


def odapi(*arguments: str, cores: int = 0) -> Cost:
    """Runs the command `odapi`, on the first `cores` cores (0: all)."""
    command = [sys.executable, "-m", "odapi.cli", *arguments]
    environment = dict(os.environ)
    if cores:
        command = ["taskset", "-c", ",".join(map(str, range(cores))), *command]
        environment["OMP_NUM_THREADS"] = str(cores)
    print("$ odapi", *arguments, flush=True)
    before, start = _cpu(), time.perf_counter()
    subprocess.run(command, check=True, env=environment)
    return Cost(time.perf_counter() - start, _cpu() - before)


def metrics_of(folder: pathlib.Path) -> dict[str, float]:
    """Returns the metrics that `odapi eval --output folder` wrote."""
    found = json.loads((folder / "metrics.json").read_text())
    return found.get("metrics", found)


def fresh(folder: pathlib.Path) -> pathlib.Path:
    """Returns `folder`, empty: a run must not resume an old one."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
