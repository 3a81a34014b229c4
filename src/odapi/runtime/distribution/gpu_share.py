"""The GPUs of one of several processes on a machine."""

import os
import pathlib

from odapi.errors import ConfigError
from odapi.runtime.distribution.cluster import Cluster
from odapi.wording import counted

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def use_gpu_share(cluster: Cluster, devices: int | None) -> None:
    """Makes only this process' share of the GPUs visible, before the backend starts.

    A launcher may bind GPUs to each process by itself: then these are all visible ones,
    and nothing is done.

    Args:
        cluster: Has the number of processes on this machine, where known.
        devices: Devices per process; None: as many as there are for each.

    Raises:
        ConfigError: There are too few.
    """
    visible = _visible()
    if cluster.num_local < 2 or len(visible) < 2:
        return
    number = devices or len(visible) // cluster.num_local
    if number == len(visible):
        return  # Bound by the launcher.
    first = cluster.local_id * number
    if number < 1 or first + number > len(visible):
        raise ConfigError(
            "--devices",
            f"{counted(cluster.num_local, 'process', 'processes')} on this machine "
            f"cannot have {max(number, 1)} of {counted(len(visible), 'GPU')} each",
            hint="start fewer processes per machine, or give a smaller --devices",
        )
    os.environ[_VISIBLE] = ",".join(visible[first : first + number])


def _visible() -> list[str]:
    """Returns the GPUs of this machine that the process may use."""
    listed = os.environ.get(_VISIBLE)
    if listed is not None:
        return [] if listed in ("", "-1") else listed.split(",")
    nodes = pathlib.Path("/dev").glob("nvidia[0-9]*")
    return [str(i) for i in range(len(list(nodes)))]
