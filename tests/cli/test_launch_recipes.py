"""The recipes of examples/launch: syntax, fields, and commands that parse."""

import ast
import importlib.util
import pathlib
import re
import subprocess
import sys
import types

import pytest
import yaml

from command_tree import COMMANDS

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "launch"
SLURM, KUBERNETES, RAY = (
    FOLDER / name
    for name in ("slurm_train.sh", "kubernetes_train.yaml", "ray_train.py")
)


def options_of(text):
    """Returns the options of the `odapi train` command in a text."""
    text = re.sub(r"\\\n\s*", "", text)
    (command,) = re.findall(r"^[^#\n]*odapi train (.+)", text, re.MULTILINE)
    return re.findall(r"--[a-z-]+", command)


def known_options():
    return {o for p in COMMANDS["train",].params for o in p.opts}


def test_the_folder_has_no_other_files():
    files = {p.name for p in FOLDER.iterdir() if p.name != "__pycache__"}
    assert files == {SLURM.name, KUBERNETES.name, RAY.name}


def test_slurm():
    done = subprocess.run(["bash", "-n", SLURM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    text = SLURM.read_text()
    directives = dict(re.findall(r"^#SBATCH --([a-z-]+)=(\S+)", text, re.MULTILINE))
    assert directives["ntasks-per-node"] == "1"
    assert directives["signal"] == "TERM@120"  # To the processes, not to the script.
    nodes, tasks = directives["nodes"], directives["ntasks"]
    assert nodes == tasks  # One process per node.
    last = text.rindex("#SBATCH")
    assert all(line[:1] in ("", "#") for line in text[:last].splitlines())
    assert options_of(text) == ["--model-dir", "--backend"]
    assert set(options_of(text)) - known_options() == set()


def test_the_variables_of_srun_name_the_processes():
    """The recipe leaves them to the environment that SLURM documents for a step."""
    from odapi.runtime.distribution.environment import find_cluster

    environment = {
        "SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "gpu[03-04]", "SLURM_NTASKS": "2",
        "SLURM_PROCID": "1", "SLURM_NODEID": "1", "SLURM_LOCALID": "0",
        "SLURM_STEP_TASKS_PER_NODE": "1(x2)",
    }  # fmt: skip
    cluster = find_cluster(environment=environment)
    assert cluster.coordinator.startswith("gpu03:")
    assert (cluster.num_processes, cluster.process_id) == (2, 1)


def test_kubernetes():
    service, job = yaml.safe_load_all(KUBERNETES.read_text())
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    assert (service["apiVersion"], job["apiVersion"]) == ("v1", "batch/v1")
    name, spec = job["metadata"]["name"], job["spec"]
    # https://kubernetes.io/docs/tasks/job/job-with-pod-to-pod-communication/
    assert service["spec"]["clusterIP"] == "None"
    selected = {"batch.kubernetes.io/job-name": name}
    assert service["spec"]["selector"] == selected
    assert spec["completionMode"] == "Indexed"
    pod = spec["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert pod["restartPolicy"] in ("Never", "OnFailure")
    (container,) = pod["containers"]
    assert container["command"] == ["sh", "-c"]
    (command,) = container["args"]
    assert set(options_of(command)) - known_options() == set()
    (port,) = service["spec"]["ports"]
    coordinator = f"--coordinator {name}-0.{pod['subdomain']}:{port['port']}"
    assert coordinator in command
    number = re.search(r"--num-processes (\d+)", command)[1]
    assert spec["completions"] == spec["parallelism"] == int(number)
    devices = re.search(r"--devices (\d+)", command)[1]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == int(devices)
    mounted = {m["name"] for m in container["volumeMounts"]}
    assert mounted == {v["name"] for v in pod["volumes"]}


@pytest.fixture
def ray_recipe(monkeypatch):
    """The recipe as a module, with a stand-in for Ray that runs nothing."""
    names = ("ray", "ray.util", "ray.util.placement_group")
    names += ("ray.util.scheduling_strategies",)
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    given = sys.modules
    given["ray"].remote = lambda *f, **options: f[0] if f else lambda g: g
    given["ray.util.placement_group"].placement_group = None
    given["ray.util.placement_group"].remove_placement_group = None
    given["ray.util.scheduling_strategies"].PlacementGroupSchedulingStrategy = None
    spec = importlib.util.spec_from_file_location("ray_train", RAY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ray(ray_recipe):
    ast.parse(RAY.read_text())
    options = types.SimpleNamespace(
        config="a.config", model_dir="runs/a", gpus=8, machines=2
    )
    command = ray_recipe.command_of(options, "10.0.0.1:1234", 1)
    assert command[:3] == ["odapi", "train", "a.config"]
    given = dict(zip(command[3::2], command[4::2], strict=True))
    assert given == {
        "--model-dir": "runs/a", "--devices": "8", "--coordinator": "10.0.0.1:1234",
        "--num-processes": "2", "--process-id": "1",
    }  # fmt: skip
    assert set(given) - known_options() == set()
    assert ray_recipe.run(["false"]) == 1
