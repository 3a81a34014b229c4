"""CPU cores that this process may use, and the processor that they are of."""

import functools
import os
import pathlib
from collections.abc import Mapping

_CPUINFO = pathlib.Path("/proc/cpuinfo")
# Features that decide the speed of detectors, by their names in Linux.
_FEATURES = (
    "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
    "asimddp", "i8mm", "bf16",
)  # fmt: skip


def num_cpus() -> int:
    """Returns the number of CPU cores, without those that the process may not use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_features(file: pathlib.Path = _CPUINFO) -> frozenset[str]:
    """Returns the features of the processor by their names in Linux; else none."""
    facts = _facts(file)
    return frozenset((facts.get("flags") or facts.get("Features", "")).split())


def processor(file: pathlib.Path = _CPUINFO) -> str:
    """Returns the name of the processor, with the features that speed depends on.

    Those for bfloat16 are named where they are missing, too.
    """
    features = cpu_features(file)
    there = [name for name in _FEATURES if name in features]
    missing = [name for name in ("avx512_bf16", "amx_bf16") if name not in features]
    name = f"{_facts(file).get('model name', 'unknown processor')} ({', '.join(there)}"
    return name + (f"; no {', no '.join(missing)})" if missing else ")")


@functools.cache
def _facts(file: pathlib.Path) -> Mapping[str, str]:
    """Returns the facts of /proc/cpuinfo about the first core; else nothing."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    facts: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in lines):
        facts.setdefault(name.strip(), value.strip())
    return facts
