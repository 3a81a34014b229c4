"""Paths and label maps are looked at before anything is built."""

import pytest

from odapi.config.check import check, find
from odapi.config.load import load_config

FPN = "configs/tf2/ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.config"
INPUT = "train_input_reader.tf_record_input_reader.input_path"


@pytest.fixture
def ready(shared, tmp_path, monkeypatch):
    """Overrides that lead the paths of a zoo config to files that exist."""
    monkeypatch.chdir(tmp_path)
    for name in ("train-0.tfrecord", "val.tfrecord", "ckpt-0.index"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "map.pbtxt").write_text(
        "item { id: 1 name: 'cat' } item { id: 90 name: 'dog' }"
    )
    return [
        "train_config.fine_tune_checkpoint=ckpt-0",
        "train_input_reader.label_map_path=map.pbtxt",
        f"{INPUT}=train-*.tfrecord",
        "eval_input_reader.label_map_path=map.pbtxt",
        "eval_input_reader.tf_record_input_reader.input_path=val.tfrecord",
    ]


def _find(shared, overrides, **purpose):
    config = load_config(shared / FPN, overrides)
    return {f.path: f for f in find(config, **purpose)}


def test_a_zoo_config_with_its_paths_filled_in_passes(shared, ready):
    found = check(load_config(shared / FPN, ready))
    assert len(found) == 6
    assert not [f for f in found if "path" in f.path]


def test_paths_that_are_still_placeholders_are_errors(shared):
    errors = [f for f in _find(shared, []).values() if f.is_error]
    assert [f.path for f in errors] == [
        "train_config.fine_tune_checkpoint",
        f"{INPUT}[0]",
        "train_input_reader.label_map_path",
        "eval_input_reader[0].tf_record_input_reader.input_path[0]",
        "eval_input_reader[0].label_map_path",
    ]
    assert all("set it to your file" in f.problem for f in errors)
    assert errors[0].hint.endswith("it: --set train_config.fine_tune_checkpoint=")
    assert errors[3].hint.endswith("it: --set eval_input_reader=")


def test_without_training_only_evaluation_needs_its_paths(shared):
    found = _find(shared, [], for_training=False)
    assert {f.path.partition(".")[0] for f in found.values() if f.is_error} == {
        "eval_input_reader[0]"
    }


@pytest.mark.parametrize(
    ("override", "path", "is_error", "said"),
    [
        (f"{INPUT}=no-*.tfrecord", f"{INPUT}[0]", True, "no file matches"),
        (f"{INPUT}=no.tfrecord", f"{INPUT}[0]", True, "are resolved against"),
        (f"{INPUT}=/no/such/a", f"{INPUT}[0]", True, "'/no/such' does not exist"),
        (f"{INPUT}=C:\\data\\a", f"{INPUT}[0]", True, "this is a Windows path"),
        (f"{INPUT}=gs://bucket/a", f"{INPUT}[0]", True, "copy it to a local disk"),
        (f"{INPUT}=", INPUT, True, "is missing"),
        ("train_input_reader=", "train_input_reader", True, "pass --train-data"),
        ("train_input_reader.label_map_path=", "train_input_reader.label_map_path",
         True, "is missing; it names the classes"),
        ("train_input_reader.sample_from_datasets_weights=[1,2]",
         "train_input_reader.sample_from_datasets_weights", True, "2 weights for 1"),
        ("model.ssd.num_classes=3", "model.ssd.num_classes", True,
         "is 3, but the highest id of map.pbtxt is 90 (dog); "
         "--set model.ssd.num_classes=90"),
        ("model.ssd.num_classes=100", "model.ssd.num_classes", False,
         "10 classes are never trained; --set model.ssd.num_classes=90"),
        ("train_config.fine_tune_checkpoint=ckpt-1",
         "train_config.fine_tune_checkpoint", True, "does not exist"),
        ("options.backbone_weights=no.npz", "options.backbone_weights", True,
         "does not exist"),
        ("eval_input_reader=", "eval_input_reader", False, "nothing is evaluated"),
        ("eval_input_reader[1]={label_map_path: 'map.pbtxt' "
         "tf_record_input_reader{input_path: 'val.tfrecord'}}",
         "eval_input_reader", False, "evaluates only the first"),
        ("eval_input_reader.tf_record_input_reader.input_path=train-*.tfrecord",
         "eval_input_reader[0].tf_record_input_reader.input_path", False,
         "training data, too"),
        ("options.train_data=coco:no.json", "options.train_data", True,
         "'no.json' does not exist"),
        ("options.train_data=pascal:no", "options.train_data", True,
         "use one of ava:PATH, coco:PATH"),
    ],
)  # fmt: skip
def test_paths_and_classes(shared, ready, override, path, is_error, said):
    finding = _find(shared, [*ready, override])[path]
    assert finding.is_error is is_error
    assert said in f"{finding.problem}; {finding.hint}"


def test_data_from_the_command_line_need_no_reader(shared, tmp_path, ready):
    (tmp_path / "voc").mkdir()
    overrides = [
        "options.train_data=voc:voc?split=train",
        "options.eval_data=voc:voc?split=val",
        "options.backbone_weights=imagenet",
    ]
    found = _find(shared, overrides)
    assert not [f for f in found.values() if f.is_error]
    assert "replaces it" in found["train_config.fine_tune_checkpoint"].problem


def test_both_readers_need_the_same_classes(shared, tmp_path, ready):
    (tmp_path / "other.pbtxt").write_text("item { id: 1 name: 'dog' }")
    override = "eval_input_reader.label_map_path=other.pbtxt"
    finding = _find(shared, [*ready, override])["eval_input_reader[0].label_map_path"]
    assert "class 1 is 'dog', but 'cat' in train_input" in finding.problem


def test_a_broken_label_map_is_told_with_its_line(shared, tmp_path, ready):
    (tmp_path / "map.pbtxt").write_text("item {\n  nam: 'cat' }")
    finding = _find(shared, ready)["train_input_reader.label_map_path"]
    assert finding.problem.startswith("map.pbtxt:2:3: ")
    assert finding.hint == "did you mean 'name'?"
