"""The quick start: files that it writes, and folders that it refuses."""

import json

import pytest

from odapi.config.check import check
from odapi.errors import DataError
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


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DataError, match=r"not made by a quick start[\s\S]*--output"):
        quickstart(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(DataError, match="not made by a quick start"):
        quickstart(tmp_path / "thesis.tex")


def test_earlier_quick_start_is_replaced_and_other_files_stay(tmp_path):
    folder = module._cleared(tmp_path / "new")
    for name in ("model", "notes"):
        (folder / name).mkdir()
    (folder / "summary.json").touch()
    module._cleared(folder)
    assert sorted(p.name for p in folder.iterdir()) == [".quickstart", "notes"]


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
    )
    _show(summary)
    shown = capsys.readouterr().out
    for text in (
        "0.876",
        "0.512",
        "8 + 2 images",
        "1 min 15 s",
        "Next: odapi predict",
    ):
        assert text in shown
    assert module.as_json(summary)["mosaic"] == str(tmp_path / "detections.jpg")
