"""A whole search: its checks, and trials that train a small detector."""

import pytest

import odapi
from odapi.config.diff import diff
from odapi.config.load import load_config
from odapi.errors import ConfigError, OdapiError, OutputError
from odapi.report.run_list import list_runs
from odapi.tuning import tune as module
from odapi.tuning.tune import trial_folder
from requirement import require
from tiny_data import write_coco
from tiny_samples import train_config
from tuning_fakes import METRIC, SIZE, FakeTraining

require("optuna")

SEARCH = [f"{SIZE}=int(1, 9)"]
RATE = (
    "train_config.optimizer.momentum_optimizer.learning_rate.constant_learning_rate."
    "learning_rate"
)


@pytest.fixture
def config(tmp_path):
    spec = write_coco(tmp_path / "data")
    data = [f"options.train_data={spec}", f"options.eval_data={spec}"]
    return train_config("ssd", "train_config.num_steps=30", *data)


@pytest.fixture
def fake(tmp_path):
    """Starts trials that train nothing."""

    def start(trial, slot):
        folder = trial_folder(tmp_path / "study", trial.number)
        return FakeTraining(folder, trial.values, lambda values, step: values[SIZE])

    return start


def test_the_same_call_resumes_a_study(tmp_path, config, fake):
    study = tmp_path / "study"
    every = ["options.evaluation.every_n_steps=10"]
    first = odapi.tune(config, study, SEARCH, every, trials=2, start=fake)
    again = odapi.tune(config, study, SEARCH, every, trials=4, start=fake)
    assert (len(first.trials), len(again.trials)) == (2, 4)
    assert again.trials[:2] == first.trials
    assert (again.metric, again.direction, again.reason) == (METRIC, "maximize", "done")
    expected = load_config(config, every)
    expected.train_config.batch_size = again.best.values[SIZE]
    changes = diff(load_config(again.best_config), expected)
    assert changes == []  # `best_metric` is written with its default.


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"search": [f"{SIZE}=int(1, 8)"]},
         f"it has {SIZE}=int(1, 9), not {SIZE}=int(1, 8)"),
        ({"seed": 1}, "another seed: 0, not 1"),
        ({"sampler": "random"}, "another sampler: 'tpe', not 'random'"),
        ({"metric": "DetectionBoxes_Precision/mAP@.50IOU"}, "another metric"),
        ({"overrides": ["options.seed=5"]},
         "another config: options.seed was 3, now it is 5"),
    ],
)  # fmt: skip
def test_another_study_in_the_same_folder_is_refused(
    tmp_path, config, fake, changes, problem
):
    call = {"config": config, "model_dir": tmp_path / "study", "search": SEARCH}
    odapi.tune(**call, trials=1, start=fake)
    with pytest.raises(ConfigError) as caught:
        odapi.tune(**(call | changes), trials=2, start=fake)
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"search": []}, "is missing: there is nothing to search"),
        ({"search": ["train_config.batch_sise=int(1, 2)"]}, "has no field"),
        ({"trials": 0}, "is 0; it must be 1 or more"),
        ({"max_hours": -1.0}, "it must be 0 or more"),
        ({"sampler": "grid"}, "unknown value 'grid'; known values are random, tpe"),
        ({"pruner": "foo"}, "unknown value 'foo'; known values are hyperband, median"),
        ({"pruner": "median"}, "has no effect: a trial is evaluated after its last"),
        ({"metric": "mAP"}, "unknown metric 'mAP'"),
        ({"overrides": ["options.eval_data="]}, "without evaluation"),
    ],
)
def test_mistakes_are_found_before_the_folder_is_made(
    tmp_path, config, changes, problem
):
    call = {"config": config, "model_dir": tmp_path / "study", "search": SEARCH}
    with pytest.raises(ConfigError) as caught:
        odapi.tune(**(call | changes))
    assert problem in caught.value.problem
    assert not (tmp_path / "study").exists()


def test_a_folder_of_something_else_is_refused(tmp_path, config):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.txt").touch()
    with pytest.raises(OutputError, match="files that odapi did not write"):
        odapi.tune(config, tmp_path / "study", SEARCH)


def test_a_search_that_only_fails_names_the_last_failure(tmp_path, config):
    def start(trial, slot):
        return FakeTraining(tmp_path / "x", {}, fails=(1, "DataError: gone"))

    with pytest.raises(OdapiError, match=r"first 5 trials failed.*DataError: gone"):
        odapi.tune(config, tmp_path / "study", SEARCH, trials=9, start=start)


def test_a_loss_is_minimized_by_default(tmp_path, config, fake):
    result = odapi.tune(
        config, tmp_path / "study", SEARCH, metric="Loss/total_loss", trials=1,
        start=lambda trial, slot: FakeTraining(tmp_path / "x", {}, fails=(1, "x")),
    )  # fmt: skip
    assert result.direction == "minimize" and result.best_config is None


def test_two_jobs_get_the_devices_in_turn(tmp_path, config, monkeypatch):
    started = []

    class Recorded(FakeTraining):
        def __init__(self, arguments, log):
            started.append(arguments)
            folder = trial_folder(tmp_path / "study", len(started) - 1)
            super().__init__(folder, {}, lambda *_: 0.5)

    monkeypatch.setattr(module, "TrainProcess", Recorded)
    odapi.tune(
        config, tmp_path / "study", SEARCH, trials=2, jobs=2,
        devices=["gpu:0", "gpu:1"], train_arguments=["--backend", "jax"],
    )  # fmt: skip
    study = tmp_path / "study"
    assert started == [
        [
            f"{study}/configs/000{n}.config", "--model-dir", f"{study}/trials/000{n}",
            "--device", f"gpu:{n}", "--backend", "jax",
        ]
        for n in (0, 1)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_trials_train_and_one_diverges(tmp_path, config):
    study = tmp_path / "study"
    result = odapi.tune(
        config,
        study,
        [f"{RATE}=choice(0.001, 1e30)"],
        ["train_config.num_steps=3"],
        trials=2,
        sampler="random",
        seed=0,
    )
    good, bad = result.trials
    assert (good.state, good.values) == ("complete", {RATE: "0.001"})
    assert (bad.state, bad.values) == ("failed", {RATE: "1e30"})
    assert bad.failure.startswith("DivergedError: step ")
    assert result.best == good and 0 <= good.value <= 1
    best = load_config(result.best_config)
    assert diff(best, load_config(study / "configs/0000.config")) == []
    assert diff(best, load_config(study / "trials/0000")) == []
    runs = list_runs(study).runs
    assert [(run.name, run.state) for run in runs] == [
        ("trials/0000", "finished"), ("trials/0001", "diverged"),
    ]  # fmt: skip
