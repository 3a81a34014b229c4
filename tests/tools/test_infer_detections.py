"""`odapi tools infer-detections`: records with detections, as the original writes."""

import pytest
from prediction_fakes import load_bright, read_examples
from typer.testing import CliRunner

import tiny_data
from odapi.cli.main import app
from odapi.errors import CheckpointError, DataError, OutputError
from odapi.tools import infer_detections as module
from odapi.tools import records
from odapi.tools.infer_detections import infer_detections


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two files of records: three images, and one damaged image."""
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    tiny_data.write_records(tmp_path / "a.record", tiny_data.records())
    bad = tiny_data.features_of("a", image__source_id=["bad"])
    bad["image/encoded"] = [b"no image"]
    tiny_data.write_records(tmp_path / "b.record", [tiny_data.example(bad)])
    return tmp_path


def test_records_keep_their_features_and_get_those_of_the_original(data):
    inputs = [str(data / "a.record"), str(data / "b.record")]
    numbers = infer_detections(inputs, data / "out", "m", load=load_bright)
    assert numbers == {"read": 4, "written": 3, "skipped": 1, "detections": 3}
    made = read_examples(data / "out")
    for example, before in zip(made, tiny_data.records(), strict=True):
        added = set(example.features.feature) - set(
            records.parse(before).features.feature
        )
        assert added == {
            "image/detection/bbox/ymin", "image/detection/bbox/xmin",
            "image/detection/bbox/ymax", "image/detection/bbox/xmax",
            "image/detection/score", "image/detection/label",
        }  # fmt: skip
        for name in added:
            example.features.feature.pop(name)
        assert example == records.parse(before)
    (example, *_) = read_examples(data / "out")
    sides = [
        records.values(example, f"image/detection/bbox/{side}")
        for side in ("ymin", "xmin", "ymax", "xmax")
    ]
    # The box of the fake predictor, in float32.
    assert sides == [[0.10000000149011612], [0.20000000298023224], [0.5], [0.75]]
    kinds = {
        name.rpartition("/")[2]: example.features.feature[name].WhichOneof("kind")
        for name in added
    }
    assert kinds == {
        "ymin": "float_list", "xmin": "float_list", "ymax": "float_list",
        "xmax": "float_list", "score": "float_list", "label": "int64_list",
    }  # fmt: skip
    # Ids of the label map: 1 dark, 2 bright.
    label = 1 + (records.values(example, "image/detection/score")[0] > 0.5)
    assert records.values(example, "image/detection/label") == [label]


def test_the_flags_of_the_original_by_the_command_line(data, monkeypatch):
    monkeypatch.setattr(
        module.infer_detections, "__defaults__", (False, 8, load_bright)
    )
    command = ["tools", "infer-detections"]
    command += ["--input_tfrecord_paths", f"{data}/a.record,{data}/b.record"]
    command += ["--output_tfrecord_path", str(data / "out"), "--inference_graph", "m"]
    done = CliRunner().invoke(app, [*command, "--discard_image_pixels"])
    assert done.exit_code == 0, done.output
    assert "Read 4 records, wrote 3 with 3 detections" in done.output
    assert "Skipped bad" in done.output
    assert all(
        "image/encoded" not in e.features.feature for e in read_examples(data / "out")
    )
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, OutputError)


def test_all_images_damaged_is_an_error_and_writes_nothing(data):
    with pytest.raises(DataError):
        infer_detections([str(data / "b.record")], data / "out", "m", load=load_bright)
    assert not (data / "out").exists()


def test_frozen_graphs_are_refused_with_the_saved_model_beside_them(data):
    (data / "saved_model").mkdir()
    graph = str(data / "frozen_inference_graph.pb")
    with pytest.raises(CheckpointError, match=f"{data}/saved_model"):
        infer_detections([str(data / "a.record")], data / "out", graph)
