"""The snippets of docs/python.md, run in their order in a folder with tiny data."""

import re

import keras
import pytest

import tiny_data
from odapi.config import parse
from small_models import small_config

BLOCK = re.compile(r"^```python(?P<skip> skip)?\n(?P<code>.*?)^```$", re.M | re.S)
TRAINING = """
train_config { batch_size: 2 optimizer { momentum_optimizer {
  learning_rate { constant_learning_rate { learning_rate: 0.001 } } } } }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A pipeline.config, a dataset in two files, and a folder of photos."""
    spec = tiny_data.write("coco", tmp_path)
    annotations = tmp_path / spec.removeprefix("coco:")
    for name in ("train.json", "val.json"):
        (tmp_path / name).write_text(annotations.read_text())
    images = [p for p in tmp_path.rglob("*.jpg")]
    (tmp_path / "photos").mkdir()
    for image in images:
        (tmp_path / "photos" / image.name).write_bytes(image.read_bytes())
    text = parse.to_text(small_config("ssd")) + TRAINING
    (tmp_path / "pipeline.config").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_every_snippet_runs(root, folder, capsys):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the page exports")
    page = (root / "docs/python.md").read_text("utf-8")
    names: dict = {}
    for match in BLOCK.finditer(page):
        if match["skip"]:
            continue
        line = page[: match.start()].count("\n") + 2
        exec(
            compile("\n" * (line - 1) + match["code"], "docs/python.md", "exec"), names
        )
    assert "<ObjectDetector runs/second: 2 classes>" in capsys.readouterr().out
    for written in (
        "found.jpg", "drawn", "detections.json", "relabel/coco/annotations.json",
        "relabel/voc/Annotations", "relabel/yolo/data.yaml", "found/images",
        "relabeled/annotations.json", "evaluation/metrics.json", "saved/weights.h5",
        "exported/saved_model/saved_model.pb",
    ):  # fmt: skip
        assert (folder / written).exists(), written


def test_only_the_download_is_not_run(root):
    page = (root / "docs/python.md").read_text("utf-8")
    skipped = [m["code"] for m in BLOCK.finditer(page) if m["skip"]]
    assert len(skipped) == 1 and "from_zoo" in skipped[0]
    assert page.count("```python") == len(BLOCK.findall(page))
