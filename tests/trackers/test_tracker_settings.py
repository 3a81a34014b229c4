"""Trackers that a config, a command or a call turns on, and their settings."""

import importlib.machinery
import subprocess
import sys
import types

import pytest

from odapi.build.tracker_settings import (
    only_asked_for,
    parameters_of,
    tracker_settings,
    turn_on,
)
from odapi.config.load import load_config
from odapi.config.rules import registry
from odapi.errors import ConfigError, MissingPackageError
from odapi.evaluation.config_trackers import (
    experiment_of,
    name_of_model,
    service_trackers,
)
from odapi.trackers import run_facts
from odapi.trackers.experiment import Experiment, set_default

PLACE = "options.trackers"


def config(*overrides):
    return load_config("train_config { batch_size: 8 }", overrides)


def test_without_options_only_tensorboard_is_on():
    settings = tracker_settings(config())
    assert settings.services == {} and settings.has_tensorboard
    assert settings.has_checkpoints and settings.close_seconds == 60


def test_a_name_turns_a_tracker_on_with_the_settings_of_its_block():
    loaded = config(f"{PLACE}.wandb.project=cells", f"{PLACE}.wandb.mode=OFFLINE")
    mine = object()
    assert turn_on(loaded, ["wandb", mine, "mlflow"]) == [mine]
    assert tracker_settings(loaded).services == {
        "mlflow": {"name": "odapi", "tracking_uri": None},
        "wandb": {
            "project": "cells", "entity": None, "group": None, "is_offline": True,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "expected"), [("OFFLINE", True), ("ONLINE", False), (None, None)]
)
def test_without_a_mode_the_environment_decides(mode, expected):
    mode = [f"{PLACE}.clearml.mode={mode}"] if mode else []
    loaded = config(f"{PLACE}.clearml.project=cells", *mode)
    assert tracker_settings(loaded).services["clearml"]["is_offline"] is expected


def test_a_name_that_is_unknown_is_refused():
    with pytest.raises(ConfigError, match=r"clear_ml.*\n.*did you mean 'clearml'"):
        turn_on(config(), ["clear_ml"])


@pytest.mark.parametrize(
    ("names", "overrides", "expected"),
    [
        ([], [], []),
        (["clearml"], [], ["clearml"]),
        ([], ["options.trackers.wandb.project=b"], ["wandb"]),
        ([], ["[odapi.options].trackers.wandb.project=b"], ["wandb"]),
        ([], ["options.trackers.name=b"], []),
    ],
)
def test_an_evaluation_uses_the_trackers_that_it_names(names, overrides, expected):
    loaded = config(f"{PLACE}.clearml.project=a", f"{PLACE}.wandb.project=a")
    only_asked_for(loaded, names, overrides)
    assert list(tracker_settings(loaded).services) == expected


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("mlflow.tracking_uri=localhost:5000", "write \"http://localhost:5000\""),
        ("mlflow.tracking_uri=sqlite://mlflow.db", "has less than three slashes"),
        ("mlflow.tracking_uri=mlruns", "is not a URI"),
        ("mlflow.tracking_uri=sqlite:///mlflow.db", None),
        ("mlflow.tracking_uri=https://host", None),
        ("wandb.project=team/cells", "which Weights & Biases refuses"),
        ("wandb.project=cells", None),
        ("name=first", "no tracker that reads it is turned on"),
        ("clearml={mode: OFFLINE output_uri: 's3://a'}", "has no effect: with mode"),
        ("clearml={project: ' '}", "is empty"),
        ("close_seconds=100000", "86400"),
    ],
)  # fmt: skip
def test_what_a_tracker_refuses_is_found_before_it_starts(override, problem):
    loaded = config(f"{PLACE}.{override}")
    found = [str(f) for f in registry.find(loaded, registry.Part.TRAINING)]
    found = [line for line in found if line.startswith(PLACE)]
    assert bool(found) == bool(problem)
    assert problem is None or problem in found[0]


def test_a_missing_package_is_named_before_anything_starts(monkeypatch):
    monkeypatch.setitem(sys.modules, "clearml", None)
    loaded = config(f"{PLACE}.clearml.project=a")
    with pytest.raises(MissingPackageError, match=r'pip install "odapi\[clearml\]"'):
        service_trackers(tracker_settings(loaded), Experiment("x"), print)


def test_parameters_are_values_by_their_paths():
    loaded = config("options.seed=7", "train_config.fine_tune_checkpoint=runs/a")
    assert parameters_of(loaded) == {
        "train_config.batch_size": 8,
        "train_config.fine_tune_checkpoint": "runs/a",
        "options.seed": 7,
    }


def test_the_experiment_has_the_name_of_the_run_unless_it_has_its_own():
    settings = tracker_settings(config())
    assert experiment_of(settings, name_of_model("runs/d0/checkpoint")).name == "d0"
    settings = tracker_settings(config(f"{PLACE}.name=base", f"{PLACE}.tags=[a]"))
    experiment = experiment_of(settings, "d0")
    assert (experiment.name, experiment.all_tags) == ("base", ["training", "a"])


def test_ids_are_known_to_a_resumed_run_only(tmp_path):
    first = Experiment("x", folder=tmp_path)
    first.remember("wandb", {"run_id": "1"})
    first.remember("mlflow", {"run_id": "2"})
    assert first.known("wandb") == {}
    resumed = Experiment("x", folder=tmp_path, is_resumed=True)
    assert resumed.known("wandb") == {"run_id": "1"}
    assert resumed.known("clearml") == {}
    (tmp_path / "trackers.json").write_text("damaged")
    assert resumed.known("wandb") == {}


def test_a_variable_of_the_user_is_kept(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    set_default("MLFLOW_DISABLE_TELEMETRY", "true")
    import os

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"


@pytest.mark.parametrize(
    ("path", "module", "name"),
    [
        ("/venv/bin/odapi", None, "odapi"),
        ("/site/odapi/cli/__main__.py", "odapi.cli.__main__", "odapi"),
        ("/work/train.py", None, "train.py"),
        ("", None, "python"),
    ],
)
def test_the_name_of_the_program(monkeypatch, path, module, name):
    main = types.ModuleType("__main__")
    main.__spec__ = importlib.machinery.ModuleSpec(module, None) if module else None
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", [path])
    assert run_facts._program() == name


def test_facts_of_the_repository_of_the_current_folder(tmp_path, monkeypatch):
    def git(*arguments):
        options = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run(
            ["git", *options, *arguments], cwd=tmp_path, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    facts = run_facts.git_facts.__wrapped__
    assert facts() == {}
    git("init", "-q", "-b", "work")
    (tmp_path / "train.py").write_text("1")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    git("remote", "add", "origin", "https://user:secret@host/a.git")
    expected = {
        "git/commit": git("rev-parse", "HEAD"),
        "git/branch": "work",
        "git/remote": "https://host/a.git",
        "git/is_dirty": False,
    }
    assert facts() == expected
    (tmp_path / "train.py").write_text("2")
    assert facts() == expected | {"git/is_dirty": True}
