"""Data-parallel training on the machines of a Ray cluster, one process per machine.

    ray job submit --working-dir . -- python ray_train.py \
        /shared/pipeline.config --model-dir /shared/runs/first --machines 2 --gpus 8

Running it again resumes the run from its last checkpoint. The paths must be on a disk
that all machines share.
"""

import argparse
import os
import socket
import subprocess
import sys

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


@ray.remote
def free_address() -> str:
    """Returns the address of this machine with a free port, for the coordinator."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return f"{ray.util.get_node_ip_address()}:{probe.getsockname()[1]}"


@ray.remote(max_retries=0)
def run(command: list[str]) -> int:
    """Runs a command to its end and returns its exit code."""
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    return subprocess.run(command, env=environment, check=False).returncode


def command_of(
    options: argparse.Namespace, coordinator: str, process: int
) -> list[str]:
    """Returns the command of one process."""
    return [
        *("odapi", "train", options.config, "--model-dir", options.model_dir),
        *("--devices", str(options.gpus), "--coordinator", coordinator),
        *("--num-processes", str(options.machines), "--process-id", str(process)),
    ]


def main() -> int:
    """Starts the processes and returns the highest exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--machines", type=int, default=2)
    parser.add_argument("--gpus", type=int, default=8, help="GPUs per machine")
    parser.add_argument("--cpus", type=int, default=8, help="CPUs per machine")
    options = parser.parse_args()
    ray.init()
    bundle = {"CPU": options.cpus, "GPU": options.gpus}
    group = placement_group([bundle] * options.machines, strategy="STRICT_SPREAD")
    ray.get(group.ready())  # Waits until the machines are there.

    def on_machine(number: int, **resources: int) -> dict:
        place = PlacementGroupSchedulingStrategy(
            placement_group=group, placement_group_bundle_index=number
        )
        return {"scheduling_strategy": place, **resources}

    address = free_address.options(**on_machine(0, num_cpus=1)).remote()
    coordinator = ray.get(address)
    processes = [
        run.options(
            **on_machine(number, num_cpus=options.cpus, num_gpus=options.gpus)
        ).remote(command_of(options, coordinator, number))
        for number in range(options.machines)
    ]
    codes = ray.get(processes)
    remove_placement_group(group)
    return max(abs(code) for code in codes)


if __name__ == "__main__":
    sys.exit(main())
