"""`odapi predict`: output and options."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import odapi
from evaluation_fakes import LABEL_MAP
from odapi.api.held_model import HeldModel
from odapi.api.shared_models import Model
from odapi.cli.main import app
from odapi.data.sources.open import open_source
from odapi.draw.file import save_image
from odapi.errors import ConfigError


def run(*arguments, **options):
    return CliRunner().invoke(app, [str(a) for a in arguments], **options)


class Bright:
    label_map = LABEL_MAP

    def __call__(self, images):
        return [
            {
                "boxes": np.array([[0, 0, 1, 1]], "float32"),
                "classes": np.array([0]),
                "scores": np.array([float(i.mean()) / 255]),
            }
            for i in images
        ]


@pytest.fixture
def bright(monkeypatch):
    detector = odapi.ObjectDetector(HeldModel(Model(Bright()), None))
    monkeypatch.setattr(odapi.ObjectDetector, "load", lambda *_, **__: detector)


@pytest.fixture
def images(tmp_path):
    for n in range(25):
        value = 250 if n % 2 else 10
        image = np.full((30, 40, 3), value, np.uint8)
        save_image(tmp_path / "in" / f"image[{n}].png", image)
    (tmp_path / "in" / "broken.jpg").write_bytes(b"\xff\xd8no")
    return tmp_path / "in"


def test_predict_prints_what_was_found_and_what_was_not_read(bright, images, tmp_path):
    result = run("predict", "runs/first", images, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "12 objects in 25 images" in result.stdout
    assert "1 square 0.98" in result.stdout
    assert "... 5 more images" in result.stdout
    assert "Skipped 1 image:" in result.stdout
    assert "broken.jpg" in result.stdout
    assert "25 images" in result.stdout.split("Wrote ")[1]
    assert len(json.loads((tmp_path / "out" / "detections.json").read_text())) == 12


def test_predict_reads_names_from_stdin(bright, images, tmp_path):
    names = "\n".join(str(p) for p in sorted(images.glob("*.png"))[:3])
    result = run(
        "predict", "runs/first", "-", "--coco-results", tmp_path / "x.json",
        "--min-score", 0.0, "--no-draw", input=names,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "x.json").read_text())) == 3


def test_json_is_one_document_with_the_results(bright, images):
    result = run("predict", "runs/first", images, "--json")
    content = json.loads(result.stdout)
    assert [len(i["objects"]) for i in content["images"]].count(1) == 12
    assert list(content["skipped"]) == [str(images / "broken.jpg")]
    (found,) = content["images"][1]["objects"]
    assert content["images"][1]["file_name"].endswith("image[1].png")
    assert found == {
        "label": "square",
        "category_id": 1,
        "bbox": [0.0, 0.0, 40.0, 30.0],
        "score": pytest.approx(250 / 255, abs=1e-6),
    }


@pytest.mark.parametrize(
    ("option", "spec"), [("txt", "yolo:{}"), ("voc", "voc:{}"), ("coco", "coco:{}")]
)
def test_a_folder_of_images_becomes_a_dataset(bright, images, tmp_path, option, spec):
    out = tmp_path / "out"
    result = run("predict", "runs/first", images, f"--save-{option}", out)
    assert result.exit_code == 0, result.output
    assert f"Next: odapi data inspect {spec.format(out)}" in result.stderr
    source = open_source(spec.format(out))
    samples = [source[i] for i in range(len(source))]
    assert len(samples) == 25 and sum(len(s["boxes"]) for s in samples) == 12
    (full,) = {tuple(s["boxes"][0].tolist()) for s in samples if len(s["boxes"])}
    assert full == (0, 0, 1, 1)
    names = {source.label_map.label(c) for s in samples for c in s["classes"]}
    assert names == {"square"}


def test_predict_tells_the_best_score_where_nothing_reaches_it(bright, images):
    result = run("predict", "runs/first", images, "--min-score", 1.0)
    assert "0 objects in 25 images" in result.stdout
    assert "the best score is 0.98; --min-score 0.9 shows more" in result.stdout


def test_predict_refuses_overrides_of_an_exported_model(tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "saved_model.pb").write_bytes(b"")
    result = run("predict", tmp_path, "a.jpg", "--set", "x=1")
    assert isinstance(result.exception, ConfigError)
    assert "an exported model cannot be changed" in str(result.exception)


@pytest.mark.parametrize("arguments", [("--min-score", 2), ("--batch-size", 0)])
def test_options_out_of_range_are_refused(arguments):
    result = run("predict", "runs/first", "a.jpg", *arguments)
    assert result.exit_code == 2


def test_options_of_the_selection_and_of_files(bright, images, tmp_path):
    (images / "phone.heic").write_bytes(b"")
    result = run(
        "predict", "runs/first", images, "--classes", "square,circle",
        "--max-detections", 1, "--save-csv", tmp_path / "a.csv",
        "--save-crop", tmp_path / "crops", "--json",
    )  # fmt: skip
    content = json.loads(result.stdout)
    assert (content["ignored"], content["best_score"]) == ({".heic": 1}, 0.9804)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 13
    assert len(list((tmp_path / "crops" / "square").iterdir())) == 12
    assert content["files"] == [str(tmp_path / "crops"), str(tmp_path / "a.csv")]


def test_files_that_are_no_images_are_counted_below_the_table(bright, images):
    (images / "phone.heic").write_bytes(b"")
    result = run("predict", "runs/first", images)
    assert "not looked at: 1 .heic\n" in result.stdout


def test_a_class_that_the_model_lacks_is_refused(bright, images):
    result = run("predict", "runs/first", images, "--classes", "triangle")
    assert str(result.exception) == (
        "classes: the model has no class 'triangle'; they are square, circle"
    )
