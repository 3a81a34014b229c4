"""ClearML, MLflow and Weights & Biases themselves: run by `make test-trackers`."""

import importlib.util
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile

import numpy as np
import pytest

from odapi.trackers.experiment import EVALUATION, Experiment
from odapi.trackers.queued import QueuedTracker

# Under CI `make test-trackers` runs them in an environment that has all three.
if not os.environ.get("NEED_TRACKERS") and any(
    importlib.util.find_spec(name) is None for name in ("clearml", "mlflow", "wandb")
):
    pytest.skip("the packages of trackers are missing", allow_module_level=True)

from odapi.trackers.clearml import ClearML
from odapi.trackers.mlflow import MLflow
from odapi.trackers.wandb import Wandb

# Warnings of these packages about each other's versions are not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

MAP = "eval/DetectionBoxes_Precision/mAP@.50IOU"
ROWS = [
    {"class": "red cell", "objects": 9, "AP": 0.5, "AP50": 0.75},
    {"class": "platelet", "objects": 0, "AP": -1.0, "AP50": -1.0},
]
IMAGE = np.full((20, 30, 3), 200, np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The tests' own folder, in which MLflow keeps artifacts and ClearML its cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEARML_CACHE_DIR", str(tmp_path / "cache"))
    checkpoint = tmp_path / "run" / "checkpoints" / "step-00000002"
    checkpoint.mkdir(parents=True)
    (checkpoint / "weights.h5").write_bytes(b"weights")
    return tmp_path


def record(make, run, steps=(1, 2), batch_size=8, failure="", **fields):
    """Records what a run records, through the queue; returns what it said."""
    said = []
    queue = QueuedTracker(lambda: make(experiment), said.append, "tracker", 120)
    experiment = Experiment(
        "first", folder=run, tags=("bccd",), note=queue.note, **fields
    )
    queue.parameters({"train_config.batch_size": batch_size, "git/is_dirty": True})
    queue.text("config", "train_config { }")
    for step in steps:
        queue.scalars(step, {"train/Loss/total_loss": 1.0 / step})
        queue.scalars(step, {MAP: step / 10})
    queue.images(steps[-1], "eval/eval_side_by_side_0_0", [IMAGE])
    queue.table(steps[-1], "eval/metrics_per_class", ROWS)
    queue.artifact("checkpoint_best", run / "checkpoints" / "step-00000002")
    if failure:
        queue.failed(failure)
    queue.close()
    assert not [line for line in said if line.startswith("warning")], said
    return [line for line in said if not line.startswith("Waiting")]


def test_clearml_writes_a_session_that_can_be_sent(here):
    before = (sys.excepthook, sys.stdout)

    def make(experiment):
        return ClearML(experiment, "cells", is_offline=True)

    said = record(make, here / "run")
    assert (sys.excepthook, sys.stdout) == before
    [archive] = (here / "run" / "trackers").glob("clearml-*.zip")
    assert said == [
        "ClearML: to send the session: clearml-task --import-offline-session "
        f"run/trackers/{archive.name}"
    ]
    with zipfile.ZipFile(archive) as session:
        task = json.loads(session.read("task.json"))
        reports = session.read("metrics.jsonl").decode()
        names = session.namelist()
    assert (task["name"], task["project_name"]) == ("first", "cells")
    # ClearML keeps tags as a set: their order changes with Python's hash seed.
    assert (task["type"], sorted(task["tags"])) == ("training", ["bccd", "training"])
    parameters = task["hyperparams"]["config"]
    assert parameters["train_config.batch_size"]["value"] == "8"
    assert task["configuration"]["config"]["value"] == "train_config { }"
    [artifact] = task["execution"]["artifacts"]
    assert artifact["key"] == "checkpoint_best"
    assert any(name.endswith(".zip") and "checkpoint_best" in name for name in names)

    events = [event for line in reports.splitlines() for event in json.loads(line)]
    scalars = {
        (e["metric"], e["variant"], e["iter"]): e["value"]
        for e in events
        if e["type"] == "training_stats_scalar"
    }
    assert scalars == {
        ("Loss/total_loss", "train", 1): 1.0,
        ("Loss/total_loss", "train", 2): 0.5,
        ("DetectionBoxes_Precision/mAP@.50IOU", "eval", 1): 0.1,
        ("DetectionBoxes_Precision/mAP@.50IOU", "eval", 2): 0.2,
        ("AP per class (eval)", "red cell", 2): 0.5,
    }
    [image] = [e for e in events if e["type"] == "training_debug_image"]
    assert (image["metric"], image["variant"]) == ("eval_side_by_side_0_0", "eval")
    [table] = [e for e in events if e["type"] == "plot"]
    assert "platelet" in table["plot_str"]


def test_clearml_shows_the_metrics_of_an_evaluation_in_its_table_of_values(here):
    record(lambda e: ClearML(e, "cells", is_offline=True), here / "run", steps=(3,),
           kind=EVALUATION)  # fmt: skip
    [archive] = (here / "run" / "trackers").glob("clearml-*.zip")
    with zipfile.ZipFile(archive) as session:
        reports = session.read("metrics.jsonl").decode()
    events = [event for line in reports.splitlines() for event in json.loads(line)]
    summary = {e["variant"] for e in events if e["metric"] == "Summary"}
    assert "DetectionBoxes_Precision/mAP@.50IOU" in summary


def test_clearml_cannot_continue_an_offline_task_and_says_so(here):
    def make(experiment):
        return ClearML(experiment, "cells", is_offline=True)

    record(make, here / "run", kind=EVALUATION)
    said = record(make, here / "run", steps=(3,), is_resumed=True)
    assert said[0].startswith("ClearML: a task that was recorded offline cannot be")
    assert len(list((here / "run" / "trackers").glob("clearml-*.zip"))) == 2


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A database with MLflow's tables, which take seconds to make."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(database, here):
    return f"sqlite:///{shutil.copy(database, here / 'mlflow.db')}"


def read_mlflow(uri, run):
    """Returns the client, the run, and the ids of all runs of its experiment."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    run_id = json.loads((run / "trackers.json").read_text())["mlflow"]["run_id"]
    found = client.get_run(run_id)
    runs = client.search_runs([found.info.experiment_id])
    return client, found, [r.info.run_id for r in runs]


def test_mlflow_is_read_back_from_sqlite(here, uri):
    [said] = record(lambda e: MLflow(e, "cells", uri), here / "run")
    assert said == f"MLflow: run first in {uri}"
    client, run, _ = read_mlflow(uri, here / "run")
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert client.get_experiment(run.info.experiment_id).name == "cells"
    assert run.data.params["train_config.batch_size"] == "8"
    assert run.data.tags["bccd"] == "" and run.data.tags["kind"] == "training"
    assert run.data.metrics == {
        "train/Loss/total_loss": 0.5,
        "eval/DetectionBoxes_Precision/mAP_.50IOU": 0.2,
        "eval/metrics_per_class/AP/red cell": 0.5,
    }
    history = client.get_metric_history(run.info.run_id, "train/Loss/total_loss")
    assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5)]
    text = client.download_artifacts(run.info.run_id, "config.txt", str(here))
    assert pathlib.Path(text).read_text() == "train_config { }"
    [weights] = client.list_artifacts(run.info.run_id, "checkpoint_best")
    assert weights.path == "checkpoint_best/weights.h5"
    images = client.list_artifacts(run.info.run_id, "images")
    assert any("0 eval_side_by_side" in i.path for i in images)
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert " " not in run.data.tags["mlflow.source.name"]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_mlflow_continues_the_run_of_a_resumed_training(here, uri):
    def make(experiment):
        return MLflow(experiment, "cells", uri)

    record(make, here / "run")
    record(make, here / "run", steps=(3,), batch_size=4, is_resumed=True)
    client, run, runs = read_mlflow(uri, here / "run")
    assert runs == [run.info.run_id] and run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, MAP.replace("@", "_"))
    assert [m.step for m in history] == [1, 2, 3]
    assert run.data.params["train_config.batch_size"] == "8"  # MLflow keeps it.
    assert run.data.tags["resumed.train_config.batch_size"] == "4"
    record(make, here / "run", failure="DivergedError: step 3")  # A new run there.
    _, run, runs = read_mlflow(uri, here / "run")
    assert len(runs) == 2 and run.info.status == "FAILED"
    assert run.data.tags["failure"] == "DivergedError: step 3"


@pytest.fixture
def server(uri, here):
    """A local server of MLflow, which ends with the test."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    # The server of the small package: the REST service without the web page.
    environment = os.environ | {
        "_MLFLOW_SERVER_FILE_STORE": uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(here / "artifacts"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "mlflow.server.fastapi_app:app"]
        + ["--host", "127.0.0.1", "--port", str(port)],
        env=environment, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield _wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_for(address, process):
    for _ in range(1500):  # It imports for ten seconds on an idle machine.
        if process.poll() is not None:
            pytest.fail(process.stderr.read().decode()[-2000:])
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return address
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server did not start")


def test_mlflow_is_read_back_from_a_server(here, server):
    [said] = record(lambda e: MLflow(e, "cells", server), here / "run")
    _, run, _ = read_mlflow(server, here / "run")
    experiment = run.info.experiment_id
    assert said == (
        f"MLflow: run first in {server}/#/experiments/{experiment}/runs/"
        f"{run.info.run_id}"
    )
    assert run.data.metrics["train/Loss/total_loss"] == 0.5


def read_wandb(folder):
    """Returns the records of all .wandb files in a folder, when they are complete.

    The service of the package writes the last ones after `finish` has returned.
    """
    from wandb.proto import wandb_internal_pb2

    files = sorted(folder.rglob("*.wandb"))
    for _ in range(300):
        found = []
        for path in files:
            for data in log_records(path.read_bytes()):
                found.append(wandb_internal_pb2.Record())
                found[-1].ParseFromString(data)
        if sum(record.HasField("exit") for record in found) == len(files):
            return found
        time.sleep(0.1)
    pytest.fail("a file has no end")


def log_records(data):
    """Yields the records of a log of LevelDB behind a header of seven bytes."""
    assert data.startswith(b":W&B")
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # The end of a block has no room for a header.
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # A whole record, or the last part of one.
            yield whole
            whole = b""


def values_of(records):
    """Returns the recorded values by name, as (step, value)."""
    found = {}
    for record in records:
        items = {
            "/".join(item.nested_key) or item.key: json.loads(item.value_json)
            for item in record.history.item
        }
        for name, value in items.items():
            found.setdefault(name, []).append((items.get("step"), value))
    return found


def test_wandb_writes_a_run_that_can_be_sent(here, monkeypatch):
    facts = {"git/commit": "12ab", "git/remote": "https://host/cells"}
    monkeypatch.setattr("odapi.trackers.wandb.git_facts", lambda: facts)

    def make(experiment):
        return Wandb(experiment, "cells", group="seeds", is_offline=True)

    [said] = record(make, here / "run", failure="DivergedError: step 2")
    assert said.startswith("Weights & Biases: to send the run: wandb sync run/trackers")
    records = read_wandb(here / "run" / "trackers")
    [run] = [r.run for r in records if r.HasField("run")][:1]
    assert (run.display_name, run.project, run.run_group) == ("first", "cells", "seeds")
    assert list(run.tags) == ["training", "bccd"] and run.job_type == "training"
    assert (run.git.commit, run.git.remote_url) == ("12ab", "https://host/cells")
    config = {
        "/".join(item.nested_key) or item.key: item.value_json
        for record in records
        for item in [*record.config.update, *record.run.config.update]
    }
    assert config["train_config.batch_size"] == "8"
    values = values_of(records)
    assert values["train/Loss/total_loss"] == [(1, 1.0), (2, 0.5)]
    assert values[MAP] == [(1, 0.1), (2, 0.2)]
    assert values["eval/metrics_per_class/AP/red cell"] == [(2, 0.5)]
    assert any(record.HasField("artifact") for record in records) or any(
        record.request.HasField("log_artifact") for record in records
    )
    [exit_code] = [r.exit.exit_code for r in records if r.HasField("exit")]
    assert exit_code == 1
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"


def test_wandb_continues_the_run_of_a_resumed_training(here):
    def make(experiment):
        return Wandb(experiment, "cells", is_offline=True)

    record(make, here / "run")
    record(make, here / "run", steps=(2, 3), batch_size=4, is_resumed=True)
    records = read_wandb(here / "run" / "trackers")
    assert len({r.run.run_id for r in records if r.HasField("run")}) == 1
    steps = [step for step, _ in values_of(records)["train/Loss/total_loss"]]
    assert steps == [1, 2, 2, 3]
