"""The quick start: files that it writes, and folders that it refuses."""

import json
import types

import keras
import pytest

from odapi.config.check import check
from odapi.errors import OutputError
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import QUICKSTART
from odapi.quickstart import quickstart as module
from odapi.quickstart.quickstart import quickstart

FEW = (
    "train_config.num_steps=2",
    "train_config.batch_size=2",
    "model.ssd.box_predictor.weight_shared_convolutional_box_predictor.depth=8",
    "model.ssd.feature_extractor.fpn.additional_layer_depth=8",
    "options.data_loading.threads=1",
)


@pytest.mark.slow
def test_quick_start_without_scikit_learn_runs_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "has_digits", lambda: False)
    folder = tmp_path / "quick"
    summary = quickstart(folder, overrides=FEW, num_train=6, num_val=3)
    assert summary.objects == "shapes"
    assert summary.classes[:2] == ("circle", "ring")
    content = json.loads((folder / "summary.json").read_text())
    assert content["images"] == {"train": 6, "val": 3}
    assert "DetectionBoxes_Precision/mAP@.50IOU" in content["metrics"]
    phases = ["data", "train", "evaluate", "export", "predict", "total"]
    assert list(content["seconds"]) == phases
    assert content["next"].startswith("odapi predict ")
    assert (folder / "detections.jpg").stat().st_size > 1000
    assert len(list((folder / "predictions").rglob("*.jpg"))) == 3
    assert (folder / "exported" / "saved_model" / "saved_model.pb").is_file()


def test_without_tensorflow_the_trained_detector_predicts(
    tmp_path, monkeypatch, capsys
):
    from odapi.cli.quickstart import _show

    used = []
    monkeypatch.setattr(module, "is_installed", lambda name: False)
    monkeypatch.setattr(module.api, "train", lambda config, folder: None)
    result = types.SimpleNamespace(
        metrics=dict.fromkeys(
            ("DetectionBoxes_Precision/mAP", "DetectionBoxes_Precision/mAP@.50IOU"), 0.5
        )
    )
    monkeypatch.setattr(module.api, "evaluate", lambda model, output: result)
    monkeypatch.setattr(module, "_predict", lambda model, *_: used.append(model) or 0)
    folder = tmp_path / "q"
    summary = quickstart(folder, objects="shapes", num_train=1, num_val=1)
    assert used == [folder / "model"]
    assert summary.difference is None
    command = f"odapi predict {folder / 'model'} {folder / 'data/val'} --output "
    assert summary.next_command.startswith(command)
    content = json.loads((folder / "summary.json").read_text())
    assert content["difference"] is None
    assert content["backend"] == keras.backend.backend()
    skipped = 'needs TensorFlow: pip install "odapi[tensorflow]"'
    printed = capsys.readouterr().err
    assert f"4/5 export: skipped: {skipped}\n" in printed
    assert "5/5 predict: with the trained detector ...\n" in printed
    _show(summary)
    assert f"skipped: {skipped}" in capsys.readouterr().out


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"files that odapi did not write: thesis"):
        quickstart(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(OutputError, match="is a file; a quick start is a folder"):
        quickstart(tmp_path / "thesis.tex")


PARTS = (
    "data/train/0001.jpg", "data/val.json", "model/checkpoints/step-00000002/w.h5",
    "model/.odapi", "exported/checkpoint/weights.h5", "exported/saved_model/assets/a",
    "evaluation/metrics.json", "predictions/images/a.jpg", "summary.json",
)  # fmt: skip


@pytest.mark.parametrize("state", ["complete", "interrupted", "older"])
def test_earlier_quick_start_is_replaced_and_other_files_stay(tmp_path, state):
    output = OutputFolder(tmp_path / "new", QUICKSTART)
    folder = output.begin()
    for name in (*PARTS, "notes/a.txt", "all_predictions/a.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    if state == "complete":
        output.finish()
    if state == "older":
        (folder / ".odapi").rename(folder / ".quickstart")
    module._cleared(OutputFolder(folder, QUICKSTART))
    left = {p.name for p in folder.iterdir()} - {".quickstart"}
    assert left == {".odapi", "notes", "all_predictions"}


def test_data_that_the_user_added_to_a_quick_start(tmp_path):
    output = OutputFolder(tmp_path, QUICKSTART)
    (output.begin() / "data/train").mkdir(parents=True)
    (tmp_path / "data/train/0001.jpg").touch()
    output.finish()
    (tmp_path / "data/train/0002.jpg").touch()
    with pytest.raises(OutputError, match=r"did not write: data/train/0002\.jpg"):
        quickstart(tmp_path)


@pytest.mark.parametrize("kind", ["digits", "shapes"])
def test_recipe_passes_the_check(tmp_path, kind):
    data = module.make_dataset(tmp_path, kind, num_train=2, num_val=2)
    config = module._config(data, 5, ("train_config.batch_size=4",))
    assert check(config) == []
    assert config.model.ssd.num_classes == len(data.names)
    assert config.train_config.batch_size == 4


def test_printed_table_has_the_numbers_that_are_written(tmp_path, capsys):
    from odapi.cli.quickstart import _show

    summary = module.Summary(
        folder=tmp_path,
        objects="digits",
        classes=("zero", "one"),
        images={"train": 8, "val": 2},
        steps=100,
        metrics={
            "DetectionBoxes_Precision/mAP": 0.512,
            "DetectionBoxes_Precision/mAP@.50IOU": 0.876,
        },
        difference=2e-6,
        found=7,
        seconds={"train": 61.0, "total": 75.5},
        mosaic=tmp_path / "detections.jpg",
        backend="jax",
    )
    _show(summary)
    shown = "".join(capsys.readouterr())
    for text in (
        "0.876",
        "0.512",
        "8 + 2 images",
        "100 steps from random weights on jax",
        "differs from the detector by 2e-06",
        "1 min 15 s",
        f"Next: odapi predict {tmp_path / 'exported'} ",
    ):
        assert text in shown
    assert module.as_json(summary)["mosaic"] == str(tmp_path / "detections.jpg")
