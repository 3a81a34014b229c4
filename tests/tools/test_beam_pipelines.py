"""The pipelines of Apache Beam by the direct runner, on real images."""

import importlib.util
import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

import tiny_data
from odapi.cli.main import app
from odapi.data.convert import Target, convert
from odapi.data.sources import open_source
from odapi.errors import DataError, OdapiError
from odapi.tools import tool_run as run
from odapi.tools.dataset_shards import convert_dataset
from odapi.tools.memory_bank import AddContext, GroupKey

if importlib.util.find_spec("apache_beam") is None and not os.environ.get("NEED_BEAM"):
    pytest.skip("Apache Beam is not installed", allow_module_level=True)

# Not ours to mend: raised inside Beam and what it needs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def by_name(model, kind):
    """A model that finds one object, whose feature is three numbers."""

    def find(record):
        return {
            "boxes": np.array([[0.1, 0.2, 0.5, 0.6]]),
            "scores": np.array([0.95]),
            "features": np.ones((1, 2, 2, 3)),
        }

    return find


@pytest.fixture
def traps(shared, tmp_path, monkeypatch):
    """Prefix of the records of the four images of Snapshot Serengeti."""
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    folder = shared / "data/serengeti"
    prefix = str(tmp_path / "traps")
    metadata = str(folder / "context_rcnn_demo_metadata.json")
    numbers = run.create_camera_traps(metadata, str(folder), prefix, 3)
    assert numbers == {"read": 4, "written": 4}
    return prefix


def test_from_images_to_memory_banks(traps, tmp_path):
    det, emb, out = (str(tmp_path / name) for name in ("det", "emb", "out"))
    assert len(list(tmp_path.glob("traps-*-of-00002"))) == 2
    everything = {"read": 4, "written": 4}
    assert run.generate_detections(f"{traps}-*", det, "m", load=by_name) == everything
    assert run.generate_embeddings(f"{det}-*", emb, "m", load=by_name) == everything
    key = GroupKey(horizon="month", max_side=256)
    found = run.add_context(f"{emb}-*", out, key, AddContext(), shards=1)
    assert found == everything
    source = open_source(f"tfrecord:{out}-*")
    assert [c.name for c in source.label_map] == ["hippopotamus"]
    for sample in source:
        assert sample["image"].shape == (192, 256, 3)
        # Two sequences of one camera and month: four images, 3 + 4 + 5 numbers each.
        assert sample["context_features"].shape == (4, 12)
        # 2010-08: (2010 - 1990) / 40 and 7 / 12.
        dates = sample["context_features"][:, 7:9]
        np.testing.assert_allclose(dates, [[0.5, 7 / 12]] * 4, rtol=1e-6)
    assert source.problems.as_dict() == []


def test_sequences_by_the_command_line(traps, tmp_path):
    emb, out = str(tmp_path / "emb"), str(tmp_path / "out")
    run.generate_embeddings(f"{traps}-*", emb, "m", load=by_name)
    arguments = ["tools", "add-context", "--input_tfrecord", f"{emb}-*"]
    arguments += ["--output-tfrecord", out, "--sequence-key", "image/seq_id"]
    arguments += ["--output-type", "tf_sequence_example", "--max-image-dimension", "99"]
    arguments += ["--keep-context-features-image-id-list"]
    done = CliRunner().invoke(app, [*arguments, "--", "--runner=DirectRunner"])
    assert done.exit_code == 0, done.output
    assert "Read 4 records, wrote 2" in done.output
    source = open_source(f"tfrecord:{out}-*?type=sequence")
    assert sorted(source.frames) == [0, 0, 1, 1]
    assert {len(s["context_image_ids"]) for s in source} == {2}


def test_what_cannot_be_used_is_counted(traps, tmp_path):
    numbers = run.add_context(
        f"{traps}-*", str(tmp_path / "out"), GroupKey(), AddContext(with_objects=True)
    )
    assert numbers == {"read": 4, "written": 4}
    none = CliRunner().invoke(
        app,
        [
            *("tools", "generate-embeddings", "--embedding-input-tfrecord"),
            *(f"{tmp_path}/none-*", "--embedding-output-tfrecord", "x"),
            *("--embedding-model-dir", "m"),
        ],
    )
    assert isinstance(none.exception, DataError)
    assert "no such file" in str(none.exception)


def test_damaged_images_are_skipped_and_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    metadata = tmp_path / "traps.json"
    metadata.write_text(
        '{"images": [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 4}], '
        '"annotations": [], "categories": []}'
    )
    prefix = str(tmp_path / "out")
    numbers = run.create_camera_traps(str(metadata), str(tmp_path), prefix)
    assert numbers.pop("read") == 1
    ((name, number),) = numbers.items()
    assert name.startswith("skipped: ") and number == 1


def test_datasets_become_the_records_of_the_local_converter(tmp_path):
    spec = tiny_data.write_voc(tmp_path / "in")
    target = Target("tfrecord", tmp_path / "local" / "x.record", shards=2)
    convert(open_source(spec), target)
    output = tmp_path / "beam" / "x.record"
    numbers = convert_dataset(spec, str(output), 2)
    assert numbers == {"read": 3, "written": 3}
    for shard in range(2):
        name = f"x.record-{shard:05d}-of-00002"
        ours = (tmp_path / "beam" / name).read_bytes()
        assert ours == (tmp_path / "local" / name).read_bytes()
    assert (tmp_path / "beam" / "label_map.pbtxt").exists()
    with pytest.raises(OdapiError, match="has files already"):
        convert_dataset(spec, str(output), 2)


def test_bad_images_and_objects_of_a_dataset_are_counted(tmp_path):
    spec = tiny_data.write_voc(tmp_path / "in")
    (tmp_path / "in" / "JPEGImages" / "b.jpg").write_bytes(b"no image")
    (tmp_path / "in" / "Annotations" / "d.xml").write_text(tiny_data.voc_xml("a"))
    outside = [(0, (10, 100, 30, 120))]
    text = tiny_data.voc_xml("c", objects=outside)
    (tmp_path / "in" / "Annotations" / "c.xml").write_text(text)
    arguments = ["tools", "convert", spec, "--output", str(tmp_path / "x"), "--json"]
    done = CliRunner().invoke(app, [*arguments, "--", "--runner=DirectRunner"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "read": 3, "written": 2, "skipped: corrupt image": 1,
        "dropped: box outside the image": 1, "skipped: image of two annotations": 1,
    }  # fmt: skip
    assert len(open_source(f"tfrecord:{tmp_path / 'x'}-*")) == 2
