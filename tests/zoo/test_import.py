"""Importing: the original's checkpoints as folders of ours that all verbs take."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import odapi
import tf2_checkpoints as tf2
from odapi.build.detector import build_detector
from odapi.checkpoints import folder as folders
from odapi.checkpoints import training_state
from odapi.checkpoints.weights import load_arrays, values
from odapi.cli.zoo import app
from odapi.config import parse
from odapi.config.label_map import save_label_map
from odapi.config.load import load_config, save_config
from odapi.config.model_part import load_model_config
from odapi.errors import CheckpointError, ConfigError, DataError, OutputError
from odapi.labels import label_map_of
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.classes import coco
from odapi.zoo.import_checkpoint import import_checkpoint
from odapi.zoo.names.ssd_keys import ssd_keys
from requirement import require
from small_models import small_config

EXAMPLE = "golden/checkpoint_example"
TRAINING = """
train_config { optimizer {
  OPTIMIZER { learning_rate { constant_learning_rate { learning_rate: 0.001 } } }
  use_moving_average: false
} }
eval_config { }
train_input_reader { }
"""


_BUILT = {}


@pytest.fixture(autouse=True)
def built_once(monkeypatch):
    """Importing and loading give every weight a value: one detector does for all."""
    for module in ("odapi.build.detector", "odapi.checkpoints.load_detector"):
        monkeypatch.setattr(f"{module}.build_detector", _build)


def _build(config, seed=None, label_map=None):
    key = config.model.SerializeToString()
    if key not in _BUILT:
        _BUILT[key] = build_detector(config, seed)
    return _BUILT[key]


@pytest.fixture
def archive(tmp_path):
    """Writes an archive of the original; returns its folder and the weights."""

    def make(
        *overrides, change=None, slots=(), step=None, optimizer="momentum_optimizer"
    ):
        text = parse.to_text(small_config("fpn"))
        text += TRAINING.replace("OPTIMIZER", optimizer)
        config = load_config(text, overrides)
        detector = _build(config)
        keys = ssd_keys(detector)
        # Other values than the detector has, which is the one that is filled.
        weights = values(detector.named_variables())
        weights = {name: value + 0.25 for name, value in weights.items()}
        tensors = {keys[name]: value for name, value in weights.items()}
        for key, slot in itertools.product(list(tensors), slots):
            value = np.full_like(tensors[key], len(slot))
            tensors[f"{key}{tf2.SLOT}optimizer/{slot}"] = value
        if step is not None:
            tensors["step"] = np.array(step, np.int64)
        if change:
            change(tensors)
        folder = tmp_path / "archive"
        tf2.write(folder / "checkpoint" / "ckpt-0", tensors, packed=True)
        save_config(config, folder / "pipeline.config")
        return folder, weights

    return make


# The original's own files.


def test_a_training_of_the_original_becomes_a_run(shared, tmp_path):
    source = shared / EXAMPLE / "training"
    done = import_checkpoint(source, tmp_path / "run")
    assert (done.step, done.folder) == (3, tmp_path / "run")
    assert done.lines[1] == "  loaded      384 of 384 variables"
    loaded = odapi.load_detector(tmp_path / "run")
    assert loaded.step == 3
    checkpoint, keys = Checkpoint(source), ssd_keys(loaded.detector)
    for name, value in values(loaded.detector.named_variables()).items():
        np.testing.assert_array_equal(value, checkpoint[keys[name]])


@pytest.mark.parity
def test_an_imported_export_gives_the_originals_outputs(shared, tmp_path):
    tf = require("tensorflow")
    source = shared / EXAMPLE / "exported"
    done = import_checkpoint(source, tmp_path / "run")
    assert done.step is None
    odapi.export(done.folder, tmp_path / "out")
    expected = dict(np.load(source / "expected_saved_model_outputs.npz"))
    loaded = tf.saved_model.load(str(tmp_path / "out" / "saved_model"))
    images = tf.constant(expected.pop("input_tensor"))
    found = loaded.signatures["serving_default"](input_tensor=images)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)


def test_momentum_of_the_original_is_kept_when_asked(shared, tmp_path):
    source = shared / EXAMPLE / "training"
    done = import_checkpoint(source, tmp_path / "run", keep_optimizer=True)
    assert "momentum of 232 variables" in done.lines[-1]
    folder = folders.latest(tmp_path / "run")
    assert training_state.is_resumable(folder)
    assert training_state.load_facts(folder) == {"step": 3}
    checkpoint = Checkpoint(source)
    kept = load_arrays(folder / training_state.ARRAYS)
    total = sum(
        np.abs(checkpoint[k].astype(np.float64)).sum()
        for k in checkpoint
        if "/.OPTIMIZER_SLOT/" in k
    )
    found = sum(np.abs(v.astype(np.float64)).sum() for v in kept.values() if v.ndim)
    assert found == pytest.approx(total)
    assert 3 in [int(v) for v in kept.values() if v.dtype.kind in "iu" and not v.ndim]


def test_a_training_without_class_names_asks_for_them(shared, tmp_path):
    import_checkpoint(
        shared / EXAMPLE / "training", tmp_path / "run", keep_optimizer=True
    )
    data = f"voc:{shared / 'data/bccd'}?split=trainval"
    overrides = ['train_input_reader.label_map_path=""', "eval_input_reader="]
    overrides.append("train_config.num_steps=5")
    with pytest.raises(DataError) as error:
        odapi.train(tmp_path / "run", tmp_path / "run", overrides, train_data=data)
    assert "'WBC' (301 objects" in error.value.problem
    assert "have no names: write them to" in error.value.hint


@pytest.mark.slow
def test_a_training_of_the_original_goes_on(shared, tmp_path):
    classes = tmp_path / "cells.pbtxt"
    save_label_map(label_map_of(["RBC", "WBC", "Platelets"]), classes)
    import_checkpoint(
        shared / EXAMPLE / "training",
        tmp_path / "run",
        keep_optimizer=True,
        label_map=classes,
    )
    before = load_arrays(folders.latest(tmp_path / "run") / folders.WEIGHTS)
    data = f"voc:{shared / 'data/bccd'}?split=trainval"
    outcome = odapi.train(
        tmp_path / "run",
        tmp_path / "run",
        [
            'train_input_reader.label_map_path=""',
            "eval_input_reader=",
            "train_config.batch_size=2",
        ],
        train_data=data,
        num_steps=5,
    )
    assert (outcome.step, outcome.resumed) == (5, True)
    after = load_arrays(folders.latest(tmp_path / "run") / folders.WEIGHTS)
    assert any((before[n] != after[n]).any() for n in before)


# Made files.


@pytest.mark.parametrize("wanted", [True, False])
def test_averages_are_used_where_the_config_says_so(archive, tmp_path, wanted):
    source, raw = archive(
        f"eval_config.use_moving_averages={wanted}".lower(), slots=["average"], step=4
    )
    done = import_checkpoint(source, tmp_path / "run")
    assert f"use_moving_averages is {str(wanted).lower()}" in done.lines[-1]
    loaded = values(odapi.load_detector(tmp_path / "run").detector.named_variables())
    for name, value in loaded.items():
        expected = np.full_like(value, 7.0) if wanted else raw[name]
        np.testing.assert_array_equal(value, expected, err_msg=name)


@pytest.mark.parametrize(
    ("optimizer", "slots", "averages"),
    [
        ("momentum_optimizer", ["momentum"], True),
        ("adam_optimizer", ["m", "v"], False),
        ("rms_prop_optimizer", ["momentum", "rms"], True),
    ],
)
def test_state_of_every_optimizer(archive, tmp_path, optimizer, slots, averages):
    source, _ = archive(
        f"train_config.optimizer.use_moving_average={averages}".lower(),
        optimizer=optimizer,
        slots=[*slots, *(["average"] if averages else [])],
        step=9,
    )
    import_checkpoint(source, tmp_path / "run", keep_optimizer=True)
    folder = folders.latest(tmp_path / "run")
    kept = load_arrays(folder / training_state.ARRAYS)
    found = {float(v.flat[0]) for v in kept.values() if v.ndim}
    assert found == {float(len(s)) for s in slots}
    assert (folder / folders.AVERAGES).is_file() == averages


def test_an_archive_of_the_zoo_has_cocos_classes_and_starts_a_training(
    archive, tmp_path
):
    source, _ = archive(
        "model.ssd.num_classes=90",
        "train_input_reader.label_map_path=PATH_TO_BE_CONFIGURED/label_map.txt",
        "train_config.fine_tune_checkpoint=PATH_TO_BE_CONFIGURED",
        "train_config.fine_tune_checkpoint_type=classification",
    )
    done = import_checkpoint(source, tmp_path / "run")
    assert "  classes     80 of COCO, as in the zoo" in done.lines
    loaded = odapi.load_detector(tmp_path / "run")
    assert (len(loaded.label_map), loaded.label_map.num_classes) == (80, 90)
    assert loaded.label_map.by_id[18].name == "dog"
    train = load_config(tmp_path / "run").train_config
    assert train.fine_tune_checkpoint == str(tmp_path / "run")
    assert train.fine_tune_checkpoint_type == "full"


def test_cocos_classes_are_those_of_the_originals_label_map(shared):
    from odapi.config.label_map import load_label_map

    theirs = load_label_map(shared / "label_maps/mscoco_label_map.pbtxt")
    assert [(c.id, c.label) for c in coco()] == [(c.id, c.label) for c in theirs]


@pytest.mark.parametrize(
    ("given", "beside", "named", "expected"),
    [
        (True, False, "", ["a", "b"]),
        (False, True, "", ["a", "b"]),
        (False, True, "label_map.pbtxt", ["a", "b"]),
        (False, True, "/other/machine/label_map.pbtxt", ["a", "b"]),
        (False, False, "/gone/label_map.pbtxt", ["class 1", "class 2"]),
    ],
)
def test_label_maps(archive, tmp_path, given, beside, named, expected):
    source, _ = archive(f'train_input_reader.label_map_path="{named}"')
    text = "item { id: 1 name: 'a' }\nitem { id: 2 name: 'b' }\n"
    place = (source if beside else tmp_path) / "label_map.pbtxt"
    place.write_text(text)
    import_checkpoint(source, tmp_path / "run", label_map=place if given else None)
    found = odapi.load_detector(tmp_path / "run").label_map
    assert [c.name for c in found] == expected


def test_the_command(archive, tmp_path):
    source, _ = archive(step=3, slots=["momentum"])
    arguments = ["import", str(source), "--output", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*arguments, "--keep-optimizer"])
    assert done.exit_code == 0, done.output
    assert "variables\n  trained     3 steps\n  classes     2 without" in done.output
    assert f"Next: odapi predict {tmp_path / 'run'} photos/" in done.output
    assert f"odapi train {tmp_path / 'run'} --model-dir" in done.output
    with pytest.raises(OutputError, match="is a training run that odapi wrote"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    with pytest.raises(CheckpointError, match="does not exist"):
        CliRunner().invoke(app, ["import", "gone"], catch_exceptions=False)


@pytest.mark.slow  # A process of its own starts the backend and builds a model.
def test_nothing_of_the_backend_reaches_the_terminal(archive, tmp_path):
    source, _ = archive()
    quiet = ("TF_CPP_MIN_LOG_LEVEL", "GLOG_minloglevel")
    environment = {k: v for k, v in os.environ.items() if k not in quiet}
    run = tmp_path / "my run"
    done = subprocess.run(
        [sys.executable, "-m", "odapi.cli", "zoo", "import", str(source)]
        + ["--output", str(run), "--json"],
        capture_output=True,
        text=True,
        env=environment | {"KERAS_BACKEND": keras.backend.backend()},
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout)["folder"]) == (0, str(run))
    assert done.stderr == (
        "Building the model, then reading its weights ...\n"
        f"Backend: {keras.backend.backend()} (set by KERAS_BACKEND)\n"
    )


def test_the_default_output_is_named_for_the_archive(archive, tmp_path, monkeypatch):
    source, _ = archive()
    monkeypatch.chdir(tmp_path)
    assert import_checkpoint(source).folder == pathlib.Path("runs/archive")
    assert odapi.load_detector("runs/archive").step is None


def _without_bias(tensors):
    del tensors[next(k for k in tensors if "_box_encoder_layers" in k)]


def _more(tensors):
    tensors["model/_self_supervised_rng/_state_var"] = np.zeros(3, np.int64)


def test_what_is_not_used_is_named(archive, tmp_path):
    source, _ = archive(change=_more)
    done = import_checkpoint(source, tmp_path / "run")
    assert "  not used    1: model/_self_supervised_rng/_state_var" in done.lines


@pytest.mark.parametrize(
    ("made", "given", "error", "message"),
    [
        ({"change": _without_bias}, {}, CheckpointError, "missing there; its key is"),
        (
            {},
            {"overrides": ["model.ssd.num_classes=5"]},
            CheckpointError,
            "5 classes, the checkpoint was trained with 2: import it with its own",
        ),
        (
            {},
            {"overrides": ["model.ssd.feature_extractor.depth_multiplier=0.5"]},
            CheckpointError,
            r"shape \(.*use the config that the checkpoint was trained with",
        ),
        ({}, {"keep_optimizer": True}, CheckpointError, "an exported model, which has"),
        (
            {"step": 1},
            {"keep_optimizer": True},
            CheckpointError,
            "has no 'momentum' of .* its optimizer state has nothing",
        ),
        (
            {"step": 1, "slots": ["momentum"]},
            {
                "keep_optimizer": True,
                "overrides": ["train_config.freeze_variables=backbone"],
            },
            ConfigError,
            "ignored by the original, which trained all variables",
        ),
        ({}, {"config": "gone.config"}, ConfigError, r"gone\.config"),
        (
            {},
            {"output": "."},
            OutputError,
            r"\.: has files that odapi did not write: .*such as odapi$",
        ),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(
    archive, tmp_path, made, given, error, message
):
    source, _ = archive(**made)
    arguments = {"output": tmp_path / "run", **given}
    with pytest.raises(error, match=f"(?s){message}"):
        import_checkpoint(source, **arguments)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["archive"]


def test_a_label_map_with_too_many_classes(archive, tmp_path):
    source, _ = archive()
    (tmp_path / "map.pbtxt").write_text("item { id: 3 name: 'c' }")
    with pytest.raises(CheckpointError, match="ids up to 3, the model 2 classes"):
        import_checkpoint(source, tmp_path / "run", label_map=tmp_path / "map.pbtxt")


def test_a_checkpoint_without_config(archive, tmp_path):
    source, _ = archive()
    config = (source / "pipeline.config").rename(tmp_path / "own.config")
    with pytest.raises(CheckpointError, match=r"no pipeline\.config.*\n.*--config"):
        import_checkpoint(source, tmp_path / "run")
    assert import_checkpoint(source, tmp_path / "run", config=config).folder.is_dir()


SLIP = """eval_input_reader {
  label_map_path: "PATH_TO_BE_CONFIGURED"
  tf_record_input_reader { input_path: "PATH_TO_BE_CONFIGURED"s }
}
"""


def test_the_slip_in_the_config_of_the_zoos_mask_rcnn_is_passed_over(archive, tmp_path):
    folder, _ = archive()
    file = folder / "pipeline.config"
    text = file.read_text()
    file.write_text(f"{SLIP}{text}")
    done = import_checkpoint(folder, tmp_path / "run")
    assert (
        f"  config      eval_input_reader is not used: {file}:3:63: 's' stands "
        "directly behind a string"
    ) in done.lines
    assert load_config(tmp_path / "run").model == load_config(text).model
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.hint == (
        "delete s behind the string, or write it on its own line"
    )


@pytest.mark.parametrize(
    "before, after, unused",
    [
        ("train_config { bogus: 1 }", "", ["train_config"]),
        (
            "train_config { batch_size: }",
            "eval_config {",
            ["train_config", "eval_config"],
        ),
        ("eval_config { num_examples: 3", "", ["eval_config"]),  # Is not closed.
        ("", "} }", []),
        ("bogus { a: 1 }", "bogus_too < >", ["bogus", "bogus_too"]),
        ("", 'train_input_reader { label_map_path: "a }', ["train_input_reader"]),
    ],
)
def test_mistakes_outside_of_the_model_are_passed_over(tmp_path, before, after, unused):
    model = "model { ssd { num_classes: 7 } }"
    file = tmp_path / "pipeline.config"
    file.write_text(f"{before}\n{model}\n{after}\n")
    loaded = load_model_config(tmp_path, ["model.ssd.num_classes=8"])
    assert loaded.config.model.ssd.num_classes == 8
    assert [note.split(" is not used")[0] for note in loaded.notes] == unused


def test_a_mistake_in_the_model_is_an_error_at_its_place(tmp_path):
    file = tmp_path / "pipeline.config"
    file.write_text("train_config { bogus: 1 }\nmodel { ssd { num_clases: 7 } }\n")
    with pytest.raises(ConfigError, match=r"pipeline\.config:2:15: Ssd has no field"):
        load_model_config(file)
    file.write_text("train_config { bogus: 1 }\n")
    with pytest.raises(
        ConfigError, match=r"pipeline\.config:1:16: .* no field 'bogus'"
    ):
        load_model_config(file)


def test_a_config_of_another_name_is_taken_if_it_is_the_only_one(archive, tmp_path):
    folder, _ = archive()
    (folder / "pipeline.config").rename(folder / "ssd.config")
    done = import_checkpoint(folder, tmp_path / "run")
    assert (done.folder / "pipeline.config").is_file()
    (folder / "other.config").write_text("")
    with pytest.raises(CheckpointError) as caught:
        import_checkpoint(folder, tmp_path / "other")
    assert str(caught.value) == (
        f"{folder}: no pipeline.config next to the checkpoint\n  hint: name the one "
        f"that it was trained with, --config FILE: {folder / 'other.config'}, "
        f"{folder / 'ssd.config'}"
    )


def test_a_checkpoint_of_a_diverged_training_is_refused(archive, tmp_path):
    key = "model/_box_predictor/_box_prediction_head/_box_encoder_layers/0/bias"

    def diverge(tensors):
        tensors[key] = np.full_like(tensors[key], np.nan)

    source, weights = archive(change=diverge)
    with pytest.raises(CheckpointError) as caught:
        import_checkpoint(source, tmp_path / "run")
    assert caught.value.problem == (
        f"fills {len(weights) - 1} of {len(weights)} weights of the model in "
        f"{source}/pipeline.config; the first of 1 others is box_predictor/box/bias "
        f"(NaN or infinite there; its key is {key})"
    )
    assert caught.value.hint == "its training diverged: import an earlier checkpoint"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["cut", "missing", "zeros"])
def test_a_damaged_archive_leaves_nothing_behind(archive, tmp_path, damage):
    source, _ = archive()
    data = source / "checkpoint" / "ckpt-0.data-00000-of-00001"
    whole = data.read_bytes()
    middle = len(whole) // 2
    problem = "is missing next to the .index file"
    if damage == "missing":
        data.unlink()
    elif damage == "cut":
        data.write_bytes(whole[:middle])
        problem = f"is truncated: it has {middle} bytes, but needs at least "
    else:
        data.write_bytes(whole[:middle] + bytes(500) + whole[middle + 500 :])
        problem = "is damaged: the checksum is wrong"
    with pytest.raises(CheckpointError) as caught:
        import_checkpoint(source, tmp_path / "run")
    assert caught.value.problem.startswith(problem)
    assert caught.value.hint == "copy or download all files of the checkpoint again"
    assert not (tmp_path / "run").exists()
