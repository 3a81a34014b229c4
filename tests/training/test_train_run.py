"""`odapi.train`, with a detector and data that take no time."""

import json

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import odapi
from odapi.build.detector import build_detector
from odapi.checkpoints import folder as folders
from odapi.config.load import load_config
from odapi.errors import CheckpointError, ConfigError
from odapi.training import parts
from odapi.training import train as run
from small_models import small_config
from tiny_data import write_coco
from tiny_detector import TinyDetector
from tiny_samples import CLASSES, make_samples, train_config

CONFIG = train_config(
    "ssd",
    "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",
    "train_config.num_steps=4",
    "options.evaluation.every_n_steps=2",
)
MAP = "DetectionBoxes_Precision/mAP"


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains a `TinyDetector` in tmp_path/run; `train.detector` is the last one.

    A real detector would take seconds to build, and finds nothing after four steps.
    """

    def call(*overrides, config=CONFIG, **arguments):
        data = {"train_data": make_samples(), "eval_data": make_samples()}
        data["classes"] = CLASSES
        return odapi.train(config, tmp_path / "run", overrides, **data | arguments)

    def build(config, seed=None):
        call.detector = TinyDetector(seed=seed)
        return call.detector

    def evaluator(config, dataset, detector, label_map, tracker, processes):
        assert dataset.num_images and len(label_map) == 2
        return lambda detector, step: {MAP: step / 10}

    call.model_dir = tmp_path / "run"
    monkeypatch.setattr(parts, "build_detector", build)
    monkeypatch.setattr(run, "Evaluator", evaluator)
    return call


def test_a_run_leaves_what_others_need(train, capsys):
    outcome = train()
    assert outcome.metrics == {MAP: 0.4}
    folder = folders.find(train.model_dir)
    assert folder.name == "step-00000004"
    assert sorted(p.name for p in folder.iterdir()) == [
        "label_map.pbtxt",
        "pipeline.config",
        "training_state.h5",
        "training_state.json",
        "weights.h5",
    ]
    assert sorted(p.name for p in train.model_dir.iterdir()) == [
        ".odapi",
        "checkpoints",
        "curves.png",
        "label_map.pbtxt",
        "losses.jsonl",
        "metrics.jsonl",
        "pipeline.config",
        "train",
        "training.json",
    ]
    said = capsys.readouterr().err
    assert "Finished after step 4" in said and "Next: odapi predict" in said


def test_short_names_are_config_paths_and_are_saved(train, tmp_path):
    data = write_coco(tmp_path)
    options = {"train_data": data, "eval_data": data, "classes": None}
    train(num_steps=2, batch_size=1, seed=9, **options)
    saved = load_config(folders.find(train.model_dir))
    assert saved.train_config.num_steps == 2
    ours = odapi.config.load.options(saved)
    assert (ours.seed, ours.train_data, ours.eval_data) == (9, data, data)


def test_the_same_command_resumes(train, capsys):
    train()
    first = json.loads((train.model_dir / "training.json").read_text())
    outcome = train(num_steps=6)
    assert outcome.step == 6
    said = capsys.readouterr().err
    assert (
        f"Resuming from checkpoint {train.model_dir / 'checkpoints/step-00000004'}"
        in said
    )
    assert "train_config.num_steps: 4 -> 6" in said
    second = json.loads((train.model_dir / "training.json").read_text())
    assert second["seconds"] > first["seconds"]


def test_another_model_in_the_same_folder_is_refused(train):
    train()
    with pytest.raises(ConfigError, match=r"model.ssd.num_classes: 2 -> 5"):
        train("model.ssd.num_classes=5")


def test_a_checkpoint_without_its_state_cannot_be_resumed(train):
    train()
    (folders.latest(train.model_dir) / "training_state.h5").unlink()
    with pytest.raises(CheckpointError, match="training cannot be resumed"):
        train(num_steps=8)


def test_fine_tuning_starts_from_another_run_and_reports(train, tmp_path, capsys):
    train(num_steps=1)
    source = tmp_path / "source"
    train.model_dir.rename(source)
    theirs = convert_to_numpy(train.detector.conv.kernel)
    rate = "train_config.optimizer.momentum_optimizer.learning_rate"
    train(
        f"train_config.fine_tune_checkpoint={source}",
        "train_config.fine_tune_checkpoint_type=detection",
        f"{rate}.constant_learning_rate.learning_rate=1e-30",
        num_steps=1,
        seed=8,
    )
    np.testing.assert_array_equal(theirs, convert_to_numpy(train.detector.conv.kernel))
    said = capsys.readouterr().err
    assert f"Starting from {source}/checkpoints/step-00000001 (detection" in said
    assert "loaded      6 of 6 variables" in said


def test_the_originals_choice_stands_in_for_an_empty_type(train, tmp_path, capsys):
    train(num_steps=1)
    source = tmp_path / "source"
    train.model_dir.rename(source)
    train(f"train_config.fine_tune_checkpoint={source}", num_steps=1)
    assert "(classification: the backbone)" in capsys.readouterr().err


def test_a_placeholder_gives_way_to_backbone_weights(train, tmp_path, capsys):
    file = tmp_path / "backbone.npz"
    np.savez(file, **{"conv/kernel": np.ones((3, 3, 3, 8), "float32")})
    train(
        "train_config.fine_tune_checkpoint=PATH_TO_BE_CONFIGURED",
        f"options.backbone_weights={file}",
    )
    assert f"Starting from {file} (classification" in capsys.readouterr().err


def test_backbone_weights_of_an_unknown_kind_are_refused(train, tmp_path):
    with pytest.raises(ConfigError, match="neither 'imagenet' nor a file that ends"):
        train(f"options.backbone_weights={tmp_path}")


def test_variables_of_a_center_net_are_frozen_by_the_originals_keys():
    config = small_config("center", "train_config.freeze_variables=_feature_extractor")
    detector = build_detector(config)
    parts.freeze_named(config, detector)
    left = {name.split("/")[0] for name in trainable_names(detector)}
    assert left == {"heads"}


def trainable_names(detector):
    return [n for n, v in detector.named_variables().items() if v.trainable]


def test_frozen_variables_are_told(train, monkeypatch, capsys):
    monkeypatch.setattr("odapi.training.parts.detector_keys", lambda detector: {})
    train("train_config.freeze_variables=FeatureExtractor")
    assert "Frozen: 4 of 6 trainable variables" in capsys.readouterr().err


def files_of(folder):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("num_steps", "reason"),
    [
        (4, "all 4 steps of this run are done"),
        (2, "4 steps are done, 2 were asked for (train_config.num_steps)"),
    ],
)
def test_a_call_with_nothing_to_do_says_so_and_changes_no_file(
    train, capsys, num_steps, reason
):
    first = train()
    before = files_of(train.model_dir)
    capsys.readouterr()
    rate = "train_config.optimizer.momentum_optimizer.learning_rate"
    outcome = train(
        f"{rate}.constant_learning_rate.learning_rate=0.5", num_steps=num_steps
    )
    assert capsys.readouterr().err.endswith(
        f"\nNothing to do: {reason}; no file was changed\n"
        "  to train longer: --num-steps N with N above 4\n"
    )
    assert files_of(train.model_dir) == before
    assert (outcome.step, outcome.metrics) == (4, first.metrics)
    assert outcome.losses.keys() == first.losses.keys()
    assert outcome.parts == first.parts


def test_a_run_that_stopped_early_has_nothing_to_do(train, monkeypatch, capsys):
    def evaluator(config, dataset, detector, label_map, tracker, processes):
        return lambda detector, step: {MAP: 0.5}

    monkeypatch.setattr(run, "Evaluator", evaluator)
    patience = "options.early_stopping.patience=1"
    assert train(patience, num_steps=8).reason == "early stopping"
    before = files_of(train.model_dir)
    capsys.readouterr()
    assert train(patience, num_steps=8).reason == "early stopping"
    assert capsys.readouterr().err.endswith(
        "\nNothing to do: early stopping ended this run at step 4 "
        "(options.early_stopping.patience: 1); no file was changed\n"
        "  to train longer: a larger options.early_stopping.patience\n"
    )
    assert files_of(train.model_dir) == before
    assert train("options.early_stopping.patience=9", num_steps=6).step == 6


def test_a_final_evaluation_that_a_kill_prevented_is_made_by_the_same_command(train):
    train()
    config = (train.model_dir / "pipeline.config").read_bytes()
    summary = json.loads((train.model_dir / "training.json").read_text())
    metrics = train.model_dir / "metrics.jsonl"
    first, _ = metrics.read_text().splitlines(keepends=True)
    metrics.write_text(first)
    (train.model_dir / "checkpoints" / "best").unlink()
    outcome = train(num_steps=3)
    assert (outcome.step, outcome.metrics, outcome.steps) == (4, {MAP: 0.4}, 0)
    assert folders.read_pointer(train.model_dir, "best")["step"] == 4
    assert (train.model_dir / "pipeline.config").read_bytes() == config
    again = json.loads((train.model_dir / "training.json").read_text())
    assert again["losses"] == summary["losses"] != {}
    assert again["parts"] == summary["parts"]


def test_a_best_mark_that_a_kill_prevented_is_set_by_the_same_command(train):
    train()
    (train.model_dir / "checkpoints" / "best").unlink()
    train()
    assert folders.read_pointer(train.model_dir, "best") == {
        "folder": "step-00000004",
        "step": 4,
        "metric": MAP,
        "value": 0.4,
    }


def test_a_config_of_the_user_in_the_folder_of_the_run_is_kept(train, capsys):
    train.model_dir.mkdir()
    mine = train.model_dir / "pipeline.config"
    mine.write_text("# My own remarks.\nmodel {}\n")
    train(num_steps=1)
    train(num_steps=2)  # Resumes: the folder is that of a run now.
    assert mine.read_text() == "# My own remarks.\nmodel {}\n"
    assert (folders.find(train.model_dir) / "pipeline.config").stat().st_size > 100
    shown = " ".join(capsys.readouterr().err.split())
    kept = f"Kept {mine}, which odapi did not write; that of this run is beside its"
    assert shown.count(kept) == 2


def test_a_policy_of_keras_is_recorded_as_the_precision(train, monkeypatch):
    monkeypatch.setattr(run, "precision_of_keras", lambda: "BFLOAT16")
    train(num_steps=1)
    saved = odapi.config.load.options(load_config(folders.find(train.model_dir)))
    assert saved.precision == saved.BFLOAT16


def test_a_batch_that_does_not_divide_by_the_devices_is_refused_first(
    train, monkeypatch
):
    def refuse(config, strategy):
        size = config.train_config.batch_size
        raise ConfigError("train_config.batch_size", f"{size}")

    monkeypatch.setattr(run, "check_options", refuse)
    with pytest.raises(ConfigError, match=r"^train_config.batch_size: 2$"):
        train()
    assert not train.model_dir.exists()


def test_a_run_is_trained_further_from_another_folder(train, tmp_path, monkeypatch):
    data = write_coco(tmp_path / "data")
    (tmp_path / "elsewhere").mkdir()
    relative = data.replace(f"{tmp_path}/", "")
    options = {"train_data": relative, "eval_data": relative, "classes": None}
    monkeypatch.chdir(tmp_path)
    train(num_steps=1, **options)
    monkeypatch.chdir(tmp_path / "elsewhere")
    none = {"train_data": None, "eval_data": None, "classes": None}
    outcome = train(config=train.model_dir, num_steps=2, **none)
    assert (outcome.step, outcome.resumed) == (2, True)
    saved = load_config(folders.latest(train.model_dir))
    assert odapi.config.load.options(saved).train_data == data
