"""Finds the processes of a training in the variables that a launcher sets."""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from odapi.errors import ConfigError
from odapi.runtime.distribution.cluster import Cluster
from odapi.runtime.distribution.node_list import expand_node_list

# As in JAX: the last 4096 ports, by the number of the job, so that two jobs on a host
# use different ones.
_FIRST_PORT, _PORTS = 61440, 4096
_ALONE = "--num-processes 1 trains in this process alone"

# Kinds of tasks in TF_CONFIG that train, in the order of their process ids.
_CHIEFS, _WORKERS = ("chief", "master"), ("worker",)


class Found(NamedTuple):
    """Values that a launcher has set; None: it has not."""

    source: str = ""
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    local_id: int = 0
    num_local: int = 1


def find_cluster(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Cluster | None:
    """Returns the cluster of this process; None if it trains alone.

    Each value that is not given is read from the environment: `JAX_COORDINATOR_ADDRESS`
    with `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`, `TF_CONFIG`, or the variables of
    SLURM; the first of them that is set.

    Args:
        coordinator, num_processes, process_id: See `Cluster`.
        environment: Variables.

    Raises:
        ConfigError: A value is missing, or wrong.
    """
    given = {
        "--coordinator": coordinator,
        "--num-processes": num_processes,
        "--process-id": process_id,
    }
    if num_processes == 1 and coordinator is None and process_id in (None, 0):
        return None
    found = _found(environment)
    values: dict[str, Any] = {
        "--coordinator": found.coordinator,
        "--num-processes": found.num_processes,
        "--process-id": found.process_id,
    } | {name: value for name, value in given.items() if value is not None}
    missing = [name for name, value in values.items() if value is None]
    if len(missing) == len(values):
        return None
    if missing:
        have = ", ".join(name for name in values if name not in missing)
        raise ConfigError(
            missing[0],
            f"is missing: {have} needs it",
            hint="a process of several needs --coordinator HOST:PORT --num-processes N "
            f"--process-id I; {_ALONE}",
        )
    if values["--num-processes"] == 1 and not any(given.values()):
        return None
    return Cluster(
        values["--coordinator"],
        values["--num-processes"],
        values["--process-id"],
        found.local_id,
        found.num_local,
        found.source,
    )


def _found(environment: Mapping[str, str]) -> Found:
    for find in (_of_jax, _of_tensorflow, _of_slurm):
        found = find(environment)
        if found is not None:
            return found
    return Found()


def _of_jax(environment: Mapping[str, str]) -> Found | None:
    coordinator = environment.get("JAX_COORDINATOR_ADDRESS")
    if not coordinator:
        return None
    slurm = _of_slurm(environment) or Found()
    return slurm._replace(
        source="JAX_COORDINATOR_ADDRESS",
        coordinator=coordinator,
        num_processes=_number(environment, "JAX_NUM_PROCESSES", slurm.num_processes),
        process_id=_number(environment, "JAX_PROCESS_ID", slurm.process_id),
    )


def _of_tensorflow(environment: Mapping[str, str]) -> Found | None:
    """Returns what TF_CONFIG says; it lists the addresses of all tasks."""
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        content = json.loads(text)
        cluster = content.get("cluster") or {}
        addresses = [
            (kind, index, address)
            for kind in (*_CHIEFS, *_WORKERS)
            for index, address in enumerate(cluster.get(kind, ()))
        ]
        task = content.get("task", {})
        kind, index = task.get("type"), int(task.get("index", 0))
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigError(
            "TF_CONFIG",
            f"cannot be read: {error}",
            hint='it is JSON such as {"cluster": {"worker": ["host1:1234", '
            '"host2:1234"]}, "task": {"type": "worker", "index": 0}}',
        ) from error
    if not addresses:
        return None
    places = [place[:2] for place in addresses]
    if (kind, index) not in places:
        raise ConfigError(
            "TF_CONFIG",
            f"has the task {kind!r} {index}, and {_listed(places)} train",
            hint="a training evaluates by itself and has no parameter servers: start "
            "no process for these",
        )
    return Found(
        "TF_CONFIG", str(addresses[0][2]), len(places), places.index((kind, index))
    )


def _listed(places: list[tuple[str, int]]) -> str:
    return ", ".join(f"{kind} {index}" for kind, index in places)


def _of_slurm(environment: Mapping[str, str]) -> Found | None:
    """Returns the tasks of a step that srun started."""
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get(
        "SLURM_JOB_NODELIST"
    )
    tasks = _number(environment, "SLURM_NTASKS")
    rank = _number(environment, "SLURM_PROCID")
    if not nodes or rank is None or tasks in (None, 1):
        return None
    hosts = expand_node_list(nodes)
    job = _number(environment, "SLURM_JOB_ID", 0) or 0
    return Found(
        "SLURM",
        f"{hosts[0]}:{_FIRST_PORT + job % _PORTS}",
        tasks,
        rank,
        _number(environment, "SLURM_LOCALID", 0) or 0,
        _tasks_of_node(environment, len(hosts), tasks or 1),
    )


def _tasks_of_node(environment: Mapping[str, str], hosts: int, tasks: int) -> int:
    """Returns the tasks on this node, from a list such as "4(x2),3"."""
    listed = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get(
        "SLURM_TASKS_PER_NODE", ""
    )
    counts: list[int] = []
    try:
        for part in filter(None, listed.split(",")):
            count, _, times = part.rstrip(")").partition("(x")
            counts += [int(count)] * int(times or 1)
    except ValueError:
        counts = []
    node = _number(environment, "SLURM_NODEID", 0) or 0
    return counts[node] if node < len(counts) else max(1, tasks // hosts)


def _number(
    environment: Mapping[str, Any], name: str, default: int | None = None
) -> int | None:
    value = environment.get(name)
    if not value:
        return default
    if not str(value).isdecimal():
        raise ConfigError(name, f"is {value!r}, not a whole number", hint=_ALONE)
    return int(value)
