"""Memory of this machine and of its accelerator, in bytes."""

import contextlib
import os
import pathlib
import subprocess
import sys
from typing import Any, NamedTuple

from odapi.runtime.devices import computes_on_cpu

_KB = 1024
_MB = 1024 * 1024
_CGROUP = pathlib.Path("/sys/fs/cgroup")
# Versions 2 and 1 of control groups: files of the limit, the use and the statistics.
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
    ),
)


class Memory(NamedTuple):
    """Memory that a training may use."""

    total: int
    available: int
    place: str  # "memory" or "GPU memory".


def training_memory() -> Memory | None:
    """Returns the memory of the device that computes; None if it is unknown.

    On a CPU it is that of the machine or of the control group (container, batch job),
    whichever leaves less.
    """
    return host_memory() if computes_on_cpu() else _gpu_memory()


def host_memory() -> Memory | None:
    """Returns the main memory; None where it cannot be read (it needs /proc)."""
    values = _fields(pathlib.Path("/proc/meminfo"))
    if "MemTotal" not in values:
        return None
    total = values["MemTotal"] * _KB
    available = values.get("MemAvailable", values.get("MemFree", 0)) * _KB
    for limit, used in _cgroup_limits():
        total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available, "memory")


def resident(process: int | str = "self") -> int | None:
    """Returns the resident memory of a process; None if it cannot be read."""
    value = _fields(pathlib.Path(f"/proc/{process}/status")).get("VmRSS")
    return None if value is None else value * _KB


def peak() -> int | None:
    """Returns the largest memory of this process so far; None if unknown.

    On a GPU it is what the backend allocated there.
    """
    if not computes_on_cpu():
        return _gpu_peak()
    # ru_maxrss would include the process that started this one.
    value = _fields(pathlib.Path("/proc/self/status")).get("VmHWM")
    if value is not None:
        return value * _KB
    with contextlib.suppress(ImportError):  # Windows.
        import resource

        unit = 1 if sys.platform == "darwin" else _KB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return None


def shown(size: float) -> str:
    """Returns a size for people, such as "1.5 GB".

    >>> shown(1.5 * 1024**3), shown(20 * 1024**2)
    ('1.50 GB', '20 MB')
    """
    if size >= _MB * _KB:
        return f"{size / (_MB * _KB):.2f} GB"
    return f"{size / _MB:.0f} MB"


def _fields(file: pathlib.Path) -> dict[str, int]:
    """Returns the numbers of a file with lines such as `VmRSS:  123 kB`."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.replace(":", " ").split() for line in lines)
    return {p[0]: int(p[1]) for p in pairs if len(p) > 1 and p[1].isdigit()}


def _cgroup_limits() -> list[tuple[int, int]]:
    """Returns limit and use of the control group, if it has a limit.

    Pages of files are left out of the use: the kernel frees them when it must.
    """
    found = []
    for names in _CGROUP_FILES:
        with contextlib.suppress(OSError, ValueError):
            limit, used = (int((_CGROUP / n).read_text()) for n in names[:2])
            cached = _fields(_CGROUP / names[2]).get("inactive_file", 0)
            found.append((limit, used - cached))
    return found


def _gpu_memory() -> Memory | None:
    """Returns the memory of the first GPU that this process may use."""
    index = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0] or "0"
    command = [
        "nvidia-smi",
        f"--id={index}",
        "--query-gpu=memory.total,memory.free",
        "--format=csv,noheader,nounits",
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=True
        )
        total, free = (int(n) * _MB for n in done.stdout.split(","))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Memory(total, free, "GPU memory")


def _gpu_peak() -> int | None:
    import keras

    return _PEAKS[keras.backend.backend()]()


def _jax_peak() -> int | None:
    import jax

    stats: Any = jax.local_devices()[0].memory_stats()
    return stats.get("peak_bytes_in_use") if stats else None


def _tensorflow_peak() -> int | None:
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def _torch_peak() -> int | None:
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


_PEAKS = {"jax": _jax_peak, "tensorflow": _tensorflow_peak, "torch": _torch_peak}
