"""CPU cores that this process may use."""

import os


def num_cpus() -> int:
    """Returns the number of CPU cores, without those that the process may not use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
