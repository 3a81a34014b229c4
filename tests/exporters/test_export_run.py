"""`odapi.export`: files that are written, refused input, and failures."""

import json
import pathlib
import types

import keras
import numpy as np
import pytest

import odapi
from odapi.checkpoints import load_detector as detectors
from odapi.config.load import load_config
from odapi.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    ExportError,
    MissingPackageError,
    OutputError,
)
from odapi.exporters import agreement, export_folder
from odapi.exporters import export_process as process
from odapi.exporters.export import export
from odapi.exporters.exported import Exported
from odapi.exporters.input_types import INPUT_TYPES
from odapi.labels import label_map_of
from requirement import require

require("tensorflow")

CONFIG = """model { ssd { num_classes: 3 image_resizer { keep_aspect_ratio_resizer {
  min_dimension: 32 max_dimension: 40 pad_to_max_dimension: true } } } }"""


@pytest.fixture
def checkpoint(tiny, tmp_path, monkeypatch):
    """A folder that `load_detector` accepts as a trained tiny detector."""
    loaded = types.SimpleNamespace(
        detector=tiny,
        config=load_config(CONFIG),
        label_map=label_map_of(["cat", "dog", "owl"]),
        step=7,
        folder=tmp_path / "trained",
    )
    monkeypatch.setattr(detectors, "load_detector", lambda path, overrides: loaded)
    return loaded


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".odapi")


@pytest.mark.slow
def test_export_writes_the_original_s_layout(checkpoint, tmp_path):
    done = export("trained", tmp_path / "out")
    assert names(tmp_path / "out") == [
        "checkpoint",
        "export.json",
        "label_map.pbtxt",
        "pipeline.config",
        "saved_model",
    ]
    assert names(done.folder / "checkpoint") == [
        "label_map.pbtxt",
        "pipeline.config",
        "weights.h5",
    ]
    assert (done.saved_model / "saved_model.pb").is_file()
    (file,) = done.files
    assert (file.format, file.path) == ("saved_model", done.saved_model)
    assert load_config(done.folder) == checkpoint.config
    assert file.difference < 1e-3 and 0 < file.megabytes < 1
    assert (file.images, file.equal_detections) == (1, 1.0)
    report = json.loads((done.folder / "export.json").read_text())
    assert report["files"][0]["path"] == "saved_model"
    assert report["files"][0]["difference"] == file.difference


def test_export_replaces_its_own_files_and_no_others(checkpoint, tmp_path):
    export("trained", tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    for old in ("saved_model.old", "checkpoint.old"):  # Copies that the user made.
        (tmp_path / old).mkdir()
    weights = (tmp_path / "checkpoint" / "weights.h5").stat().st_ino
    export("trained", tmp_path)
    assert (tmp_path / "checkpoint" / "weights.h5").stat().st_ino != weights
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert names(tmp_path) == [
        "checkpoint", "checkpoint.old", "export.json", "label_map.pbtxt",
        "notes.txt", "pipeline.config", "saved_model", "saved_model.old",
    ]  # fmt: skip


def test_untrained_detector_is_refused_unless_allowed(checkpoint, tmp_path):
    checkpoint.step = 0
    with pytest.raises(CheckpointError, match=r"is not trained[\s\S]*--untrained"):
        export("trained", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert export("trained", tmp_path / "out", untrained=True).files[0].megabytes > 0


def test_failed_comparison_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    def other(*args):
        raise ExportError("saved_model", "raw_detection_scores differs")

    monkeypatch.setattr(export_folder, "verify", other)
    with pytest.raises(ExportError, match="differs"):
        export("trained", tmp_path / "out")
    assert names(tmp_path / "out") == []


def lay_out(folder, files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the user's {name}")


ORIGINAL = ("checkpoint/ckpt-0.index", "checkpoint/ckpt-0.data-00000-of-00001",
            "checkpoint/checkpoint", "saved_model/saved_model.pb", "label_map.pbtxt",
            "pipeline.config")  # fmt: skip
MODEL_DIR = ("ckpt-6.index", "ckpt-6.data-00000-of-00001", "checkpoint")
OLD_RUN = ("checkpoints/step-00000007/weights.h5", "pipeline.config")
OLD_EXPORT = ("checkpoint/weights.h5", "saved_model/saved_model.pb", "pipeline.config")


@pytest.mark.parametrize(
    "files, problem",
    [
        (
            ORIGINAL,
            "has files that odapi did not write, a TensorFlow checkpoint among them "
            "(checkpoint/ckpt-0): checkpoint/, label_map.pbtxt, pipeline.config, "
            "saved_model/",
        ),
        (
            MODEL_DIR,
            "has files that odapi did not write, a TensorFlow checkpoint among them "
            "(ckpt-6): checkpoint, ckpt-6.data-00000-of-00001, ckpt-6.index",
        ),
        (("label_map.pbtxt",), "has files that odapi did not write: label_map.pbtxt"),
        (("notes.txt",), "has files that odapi did not write: notes.txt"),
        (
            OLD_RUN,
            "is a training run that odapi wrote; an export needs its own folder",
        ),
        (
            (*OLD_EXPORT, "checkpoint/averages.h5"),
            "is an imported checkpoint that odapi wrote; an export needs its own "
            "folder",
        ),
        (
            (*OLD_EXPORT, "checkpoint/ckpt-9.index"),
            "has files that odapi did not write, a TensorFlow checkpoint among them "
            "(checkpoint/ckpt-9): checkpoint/ckpt-9.index",
        ),
    ],
)
def test_a_folder_of_the_user_is_refused_before_any_work(tmp_path, files, problem):
    folder = tmp_path / "mine"
    lay_out(folder, files)
    with pytest.raises(OutputError) as caught:
        odapi.export("no such run", folder)
    hint = f"choose a new folder, such as {folder}-2"
    assert str(caught.value) == f"{folder}: {problem}\n  hint: {hint}"
    for name in files:
        assert (folder / name).read_text() == f"the user's {name}"


def test_an_export_that_the_user_changed_is_refused(checkpoint, tmp_path):
    folder = tmp_path / "out"
    export("trained", folder)
    (folder / "pipeline.config").write_text("model {}  # mine")
    (folder / "saved_model" / "assets.extra").mkdir()
    (folder / "saved_model" / "assets.extra" / "example").write_text("mine")
    with pytest.raises(OutputError) as caught:
        export("trained", folder)
    assert caught.value.problem == (
        "has files that odapi did not write: saved_model/assets.extra/example; files "
        "that were changed since odapi wrote them: pipeline.config"
    )
    assert (folder / "pipeline.config").read_text() == "model {}  # mine"


def test_an_export_of_an_older_version_is_replaced(checkpoint, tmp_path):
    lay_out(tmp_path / "old", OLD_EXPORT)
    done = export("trained", tmp_path / "old")
    assert (done.folder / "saved_model" / "saved_model.pb").stat().st_size > 1000


def test_an_export_is_no_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: is a file; an export is a folder"):
        export("no such run", tmp_path / "file")


def test_check_images_are_read_first(checkpoint, tmp_path):
    with pytest.raises(DataError, match=r"none\.jpg: cannot be read: No such file"):
        export("trained", tmp_path / "out", check_images=["none.jpg"])
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"text\.jpg"):
        export("trained", tmp_path / "out", check_images=[tmp_path / "text.jpg"])


def test_unknown_format_is_refused_with_the_list_of_formats(tmp_path):
    with pytest.raises(ConfigError, match=r"'onx'; known values are onnx, "):
        export("no such folder", tmp_path / "out", format="onx")


def test_wrong_input_type_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'image_tensor'"):
        export("no such folder", tmp_path / "out", "image_tensr")


def test_missing_tensorflow_names_the_install_command(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r'pip install "odapi\[tensorflow\]"'):
        export("no such folder", tmp_path / "out")


def test_another_backend_exports_in_a_separate_process(tmp_path, monkeypatch):
    given = {}

    def in_process(arguments, backend):
        given.update(arguments, backend=backend)
        return Exported(tmp_path, tmp_path, "tf_example", ())

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(process, "export_in_process", in_process)
    done = export(pathlib.Path("trained"), tmp_path / "out", "tf_example", ("a.b=1",))
    assert done.folder == tmp_path
    assert given == {
        "checkpoint": "trained",
        "output_dir": str(tmp_path / "out"),
        "input_type": "tf_example",
        "overrides": ["a.b=1"],
        "format": ["saved_model"],
        "precision": ["float32"],
        "calibration_data": None,
        "calibration_images": 100,
        "verify_data": None,
        "max_drop": None,
        "backend": "tensorflow",
        "tflite_nms": "graph",
        "batch_size": None,
        "untrained": False,
        "check_images": [],
    }


def test_errors_are_raised_again_with_their_type(tmp_path):
    arguments = {"checkpoint": str(tmp_path / "none"), "output_dir": str(tmp_path)}
    with pytest.raises(CheckpointError, match=r"none: does not exist"):
        process.export_in_process(arguments)


def test_process_that_fails_shows_its_last_lines(tmp_path):
    with pytest.raises(RuntimeError, match="unexpected keyword argument 'no_such'"):
        process.export_in_process({"no_such": 1})


def test_missing_detections_are_named_by_class_and_score():
    boxes = np.array([[0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]], np.float32)
    one = {
        "detection_boxes": boxes,
        "detection_classes": np.array([1.0, 2.0]),
        "detection_scores": np.array([0.9, 0.4]),
        "num_detections": np.array(2.0),
        "raw_detection_scores": np.full((9, 3), 0.01),
    }
    assert agreement._missing(one, one) == ""
    swapped = {k: v[::-1] if np.ndim(v) else v for k, v in one.items()}
    assert agreement._missing(one, swapped) == ""
    # The last of a full list may give way to another with the same score.
    other = one | {"detection_classes": np.array([1.0, 1.0])}
    assert agreement._missing(one, other) == ""
    other = one | {"detection_classes": np.array([2.0, 2.0])}
    assert agreement._missing(one, other).startswith("detection of class 1 at [0.1")
    other = one | {"detection_boxes": boxes + 0.3}
    assert "score 0.900" in agreement._missing(one, other)


def test_input_types_are_those_of_the_command():
    from odapi.cli.export import export as command

    text = str(command.__annotations__["input_type"].__metadata__[0].help)
    assert all(kind in text for kind in INPUT_TYPES)
