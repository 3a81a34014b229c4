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
from odapi.data.image.decode import decode_image
from odapi.draw.file import save_image
from odapi.draw.mosaic import mosaic

BACKBONE = SHARED / "pretrained" / "mobilenet_v2_imagenet.npz"
PICTURES = ROOT / "docs" / "images"


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds that a command took: of the clock, and of all cores together."""

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


def keep_picture(source: pathlib.Path, name: str, side: int = 0) -> None:
    """Copies an image to those of the docs.

    Args:
        source: The file.
        name: File name there.
        side: The longer side, in pixels; 0: as it is.
    """
    pixels = decode_image(source.read_bytes(), str(source))
    save_image(PICTURES / name, mosaic([pixels], cell=side or max(pixels.shape)))


def keep_row(file: pathlib.Path, name: str, row: list[str]) -> dict[str, list[str]]:
    """Adds a row of a table to those of earlier runs; returns all, by name."""
    rows = json.loads(file.read_text()) if file.exists() else {}
    rows[name] = row
    file.write_text(json.dumps(rows))
    return rows


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
