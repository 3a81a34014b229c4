"""Models as checkpoints of the original: read back bit for bit, also by TensorFlow."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import odapi
from odapi.build.detector import build_detector
from odapi.checkpoints import folder as folders
from odapi.checkpoints import training_state
from odapi.checkpoints.metadata import metadata_writer
from odapi.checkpoints.weights import save_weights, values
from odapi.cli.zoo import app
from odapi.config import parse
from odapi.config.load import load_config
from odapi.errors import CheckpointError, OutputError
from odapi.labels import label_map_of
from odapi.outputs.marker import MARKER
from odapi.zoo.checkpoint.reader import OBJECT_GRAPH, SUFFIX, Checkpoint
from odapi.zoo.checkpoint.writer import write_checkpoint
from odapi.zoo.import_checkpoint import import_checkpoint
from requirement import require
from small_models import small_config

EXTRA = """
train_config { batch_size: 4 }
train_input_reader { label_map_path: "gone/label_map.pbtxt" }
eval_input_reader { label_map_path: "gone/label_map.pbtxt" }
[odapi.options] { seed: 3 }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A checkpoint folder of a small model, and its weights."""
    folder = tmp_path_factory.mktemp("run")
    config = load_config(parse.to_text(small_config("fpn")) + EXTRA)
    detector = build_detector(config, seed=1)
    save_weights(detector, folder / folders.WEIGHTS)
    names = [f"class {n}" for n in range(detector.num_classes)]
    metadata_writer(config, label_map_of(names))(folder)
    training_state.save_facts(folder, {"step": 12})
    return folder, values(detector.named_variables())


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "original"
    return odapi.export_checkpoint(run[0], folder)


def test_the_folder_is_that_of_an_archive_of_the_zoo(exported, run):
    found = [p for p in exported.folder.rglob("*") if p.is_file()]
    names = {p.relative_to(exported.folder).as_posix() for p in found}
    assert sorted(names - {MARKER}) == [
        "checkpoint/checkpoint",
        "checkpoint/ckpt-0.data-00000-of-00001",
        "checkpoint/ckpt-0.index",
        "label_map.pbtxt",
        "pipeline.config",
    ]
    state = (exported.folder / "checkpoint" / "checkpoint").read_text()
    assert state.splitlines()[0] == 'model_checkpoint_path: "ckpt-0"'
    assert (exported.variables, exported.step) == (len(run[1]), 12)


def test_the_config_is_one_that_the_original_parses(exported):
    text = (exported.folder / "pipeline.config").read_text()
    assert "odapi" not in text.replace(str(exported.folder), "")
    config = load_config(text)
    assert config.train_config.fine_tune_checkpoint == str(exported.prefix.resolve())
    assert config.train_config.fine_tune_checkpoint_type == "full"
    assert config.train_config.batch_size == 4
    names = str((exported.folder / "label_map.pbtxt").resolve())
    assert config.train_input_reader.label_map_path == names
    assert config.eval_input_reader[0].label_map_path == names


def test_it_is_imported_bit_for_bit(exported, run, tmp_path):
    done = import_checkpoint(exported.folder, tmp_path / "run")
    assert done.step == 12
    loaded = odapi.load_detector(tmp_path / "run")
    for name, value in values(loaded.detector.named_variables()).items():
        np.testing.assert_array_equal(value, run[1][name], err_msg=name)
    assert next(c.name for c in loaded.label_map) == "class 0"


def test_tensorflow_reads_it_and_restores_objects_from_it(exported):
    tf = require("tensorflow")
    ours = Checkpoint(exported.folder)
    reader = tf.train.load_checkpoint(str(exported.prefix))
    shapes = reader.get_variable_to_shape_map()
    assert set(shapes) == set(ours.keys())
    objects, variables = {}, {}
    for key in set(ours) - {OBJECT_GRAPH, f"save_counter{SUFFIX}"}:
        assert tuple(shapes[key]) == ours.shape(key)
        np.testing.assert_array_equal(reader.get_tensor(key), ours[key])
        variables[key] = tf.Variable(np.zeros_like(ours[key]))
        _track(tf, objects, key.removesuffix(SUFFIX), variables[key])
    roots = {name: objects[name] for name in ("model", "step")}
    restored = tf.train.Checkpoint(**roots).restore(str(exported.prefix))
    restored.assert_consumed()
    for key, variable in variables.items():
        np.testing.assert_array_equal(variable.numpy(), ours[key], err_msg=key)


def _track(tf, objects, path, value):
    """Makes the objects along a path, as the original's attributes and lists do."""
    objects[path] = value
    parent, _, name = path.rpartition("/")
    if not parent:
        return
    if parent not in objects:
        _track(tf, objects, parent, tf.Module())
    setattr(objects[parent], name.replace(".S", "/"), value)


def test_another_call_replaces_it_and_files_of_others_are_kept(run, tmp_path):
    odapi.export_checkpoint(run[0], tmp_path / "out")
    odapi.export_checkpoint(run[0], tmp_path / "out")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "ckpt-6.index").write_bytes(b"")
    with pytest.raises(OutputError, match="files that odapi did not write"):
        odapi.export_checkpoint(run[0], tmp_path / "theirs")


def test_the_command(run, tmp_path):
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["export-checkpoint", str(run[0]), str(out)])
    assert done.exit_code == 0
    assert done.output.splitlines()[-6:] == [
        f"Wrote checkpoint {out}/checkpoint/ckpt-0",
        f"  variables   {len(run[1])}; the optimizer's are left out",
        "  trained     12 steps",
        f"  config      {out}/pipeline.config, without [odapi.options]",
        f"  classes     {out}/label_map.pbtxt",
        f"Next: odapi zoo import {out}",
    ]
    command = ["export-checkpoint", str(run[0]), str(out), "--json"]
    found = json.loads(CliRunner().invoke(app, command).stdout)
    assert found["prefix"] == f"{out}/checkpoint/ckpt-0"
    assert (found["step"], found["variables"]) == (12, len(run[1]))


def test_a_model_that_the_original_cannot_build_is_refused(run, tmp_path, monkeypatch):
    def no_keys(detector):
        raise TypeError("there are no checkpoint keys of the original for Whatever")

    monkeypatch.setattr("odapi.zoo.names.detector_keys.detector_keys", no_keys)
    with pytest.raises(CheckpointError) as caught:
        odapi.export_checkpoint(run[0], tmp_path / "out")
    assert caught.value.problem == (
        "cannot be written for the TF Object Detection API: there are no checkpoint "
        "keys of the original for Whatever"
    )
    assert not (tmp_path / "out").exists()


def test_the_originals_own_training_is_written_with_the_same_keys(shared, tmp_path):
    source = Checkpoint(shared / "golden/checkpoint_example/training")
    import_checkpoint(source.prefix, tmp_path / "run")
    done = odapi.export_checkpoint(tmp_path / "run", tmp_path / "out")
    written = Checkpoint(done.prefix)
    optimizer = {
        k for k in source if k.startswith("optimizer/") or "OPTIMIZER_SLOT" in k
    }
    assert set(written) == set(source) - optimizer
    for key in set(written) - {OBJECT_GRAPH, f"save_counter{SUFFIX}"}:
        np.testing.assert_array_equal(written[key], source[key], err_msg=key)
        # Each path of our graph leads to the same variable in the original's.
        assert source.graph.key(key.removesuffix(SUFFIX)) == key
        assert written.graph.key(key.removesuffix(SUFFIX)) == key


@pytest.mark.parametrize("count", [1, 7, 3000])
def test_tables_of_any_size_are_read_back(tmp_path, count):
    arrays = {
        f"model/layer/{n}": np.full((n % 3, 2), n, np.int64) for n in range(count)
    }
    written = Checkpoint(write_checkpoint(tmp_path / "ckpt-1", arrays))
    assert len(written) == count + 1
    for key, value in arrays.items():
        np.testing.assert_array_equal(written[key], value)
