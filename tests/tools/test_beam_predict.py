"""`odapi tools predict` by the direct runner, with injected failures."""

import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import prediction_fakes as fakes
import pytest
from typer.testing import CliRunner

import odapi
import tiny_data
from odapi.cli.main import app
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.errors import DataError, OutputError
from odapi.inference.tiling import Tiling
from odapi.tools import records
from odapi.tools.predict_images import predict_images
from odapi.tools.prediction_job import PredictionOptions
from small_models import small_config

if importlib.util.find_spec("apache_beam") is None and not os.environ.get("NEED_BEAM"):
    pytest.skip("Apache Beam is not installed", allow_module_level=True)

# Not ours to mend: raised inside Beam and what it needs.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
COUNT = 11  # Images of `folder` that can be read.


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images of gray values 0, 20, ... 200, and two that cannot be read."""
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    fakes.LOADED.clear()
    images = tmp_path / "in"
    images.mkdir()
    for n in range(COUNT):
        gray = np.full((30 + n, 40, 3), 20 * n, np.uint8)
        cv2.imwrite(str(images / f"image_{n}.png"), gray)
    (images / "image_4b.jpg").write_bytes(b"\xff\xd8no")
    (images / "image_7b.png").write_bytes(b"")
    return tmp_path


def lines(output):
    return [
        json.loads(line)
        for file in sorted(output.glob("detections-*.jsonl"))
        for line in file.read_text().splitlines()
    ]


def content(output):
    """Returns the bytes of all files of an output but the marker."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name not in (".odapi", "run.json")
    }


def run(folder, output="out", shards=4, options=None, load=fakes.load_bright, **more):
    options = options or PredictionOptions(min_score=0.5, batch_size=2)
    return predict_images(
        str(more.get("model", "m")),
        str(more.get("source", folder / "in")),
        str(folder / output),
        options,
        shards,
        more.get("beam", ()),
        load=load,
    )


def test_images_become_lines_and_records_and_bad_ones_are_kept_apart(folder):
    found = run(folder)
    assert (found.images, found.objects) == (COUNT, 4)
    assert (found.shards, found.computed, found.best_score) == (4, 4, 0.7843)
    assert len(fakes.LOADED) == 1  # Once per process, of which there is one.
    out = folder / "out"
    names = [pathlib.Path(row["file_name"]).name for row in lines(out)]
    assert names == [f"image_{n}.png" for n in range(COUNT)]
    (bright,) = lines(out)[7]["objects"]
    # Gray value 140; the box [0.1, 0.2, 0.5, 0.75] of 37 x 40 pixels.
    assert bright == {
        "label": "bright", "category_id": 2, "bbox": [8.0, 3.7, 22.0, 14.8],
        "score": 0.5490196,
    }  # fmt: skip
    skipped = [json.loads(t) for t in (out / "skipped.jsonl").read_text().splitlines()]
    assert [(pathlib.Path(s["file_name"]).name, s["id"]) for s in skipped] == [
        ("image_4b.jpg", 6), ("image_7b.png", 10),
    ]  # fmt: skip
    assert all(s["reason"] for s in skipped)
    files = sorted(out.glob("detections-*.tfrecord"))
    made = [example for file in files for example in fakes.read_examples(file)]
    assert len(made) == COUNT
    assert [records.text(e, "image/source_id") for e in made[:6]] == [
        "1", "2", "3", "4", "5", "7",
    ]  # fmt: skip
    assert records.values(made[7], "image/detection/label") == [2]
    assert records.values(made[7], "image/height") == [37]
    assert "image/encoded" not in made[7].features.feature
    assert records.values(made[0], "image/detection/score") == []


def test_a_worker_that_raises_is_resumed_with_the_same_bytes(folder):
    run(folder, "undisturbed")
    failing = folder / "failing"
    failing.write_text("")
    with pytest.raises(
        Exception, match=r"shard 3, images 10 to 13 of .*: RuntimeError: out of memory"
    ):
        run(folder, model=failing, load=fakes.load_failing)
    done = sorted(p.name for p in (folder / "out" / "shards").glob("*.json"))
    assert done and "00003-of-00004.json" not in done  # The last image fails.
    assert not list((folder / "out").glob("detections-00003*"))
    times = {p: p.stat().st_mtime_ns for p in (folder / "out").glob("detections-*")}
    failing.unlink()
    found = run(folder, model=failing, load=fakes.load_failing)
    assert (found.images, found.computed) == (COUNT, 4 - len(done))
    assert times == {p: p.stat().st_mtime_ns for p in times}
    assert content(folder / "out") == content(folder / "undisturbed")


def test_a_complete_run_computes_nothing_and_lost_files_are_replaced(folder):
    run(folder)
    before = content(folder / "out")
    assert run(folder).computed == 0
    (folder / "out" / "detections-00001-of-00004.tfrecord").unlink()
    (folder / "out" / "detections-00002-of-00004.jsonl").write_text("cut")
    assert run(folder).computed == 2
    assert content(folder / "out") == before


@pytest.mark.parametrize(
    ("options", "shards", "problem"),
    [
        ({"min_score": 0.4}, 4, "min_score was 0.5, now 0.4"),
        ({"classes": ["dark"]}, 4, r"classes was not given, now \[1\]"),
        ({"tile": Tiling(640)}, 4, "tile was not given, now "),
        ({"batch_size": 3}, 4, "batch_size was 2, now 3"),
        ({"formats": ("jsonl",)}, 4, "format was .* now"),
        ({}, 3, "num_shards was 4, now 3"),
    ],
)
def test_other_settings_are_refused_by_name(folder, options, shards, problem):
    run(folder)
    before = content(folder / "out")
    options = PredictionOptions(**({"min_score": 0.5, "batch_size": 2} | options))
    with pytest.raises(OutputError, match=problem):
        run(folder, options=options, shards=shards)
    assert content(folder / "out") == before


def test_other_images_are_refused_by_name(folder):
    run(folder)
    (folder / "in" / "image_11.png").write_bytes(b"x")
    (folder / "in" / "image_0.png").unlink()
    with pytest.raises(
        OutputError, match=r"1 image added, such as .*image_11.*and 1 image removed"
    ):
        run(folder)


def test_an_unknown_class_is_refused_before_anything_is_written(folder):
    with pytest.raises(DataError, match="no class 'cat'"):
        run(folder, options=PredictionOptions(classes=["cat"]))
    assert not (folder / "out").exists()


def test_folders_of_others_and_web_addresses_are_refused(folder):
    (folder / "mine").mkdir()
    (folder / "mine" / "a.txt").write_text("x")
    with pytest.raises(OutputError, match="files that odapi did not write"):
        run(folder, "mine")
    with pytest.raises(OutputError, match="is a web address"):
        predict_images("m", str(folder), "gs://a/b", load=fakes.load_bright)


def test_records_keep_their_features(folder):
    spec = tiny_data.write_tfrecord(folder / "records")
    options = PredictionOptions(min_score=0, image_pixels=True)
    run(folder, source=spec, options=options, shards=2)
    source = open_tfrecord(str(folder / "out" / "detections-*.tfrecord"))
    assert source.image_ids == ["a", "b", "c"]
    assert len(source[0]["boxes"]) == 2  # The groundtruth is still there.
    example = records.parse(source.record(0))
    assert len(records.values(example, "image/detection/score")) == 1
    assert [row["id"] for row in lines(folder / "out")] == ["a", "b", "c"]
    assert [row["file_name"] for row in lines(folder / "out")] == [
        "a.jpg", "b.jpg", "c.jpg",
    ]  # fmt: skip


def test_datasets_and_lists_give_the_same_objects(folder):
    spec = tiny_data.write_coco(folder / "coco")
    paths = sorted(str(p) for p in (folder / "coco" / "images").glob("*.jpg"))
    (folder / "list.txt").write_text("\n".join(paths))
    options = PredictionOptions(min_score=0)
    run(folder, "a", source=spec, options=options)
    run(folder, "b", source=folder / "list.txt", options=options)
    assert lines(folder / "a") == [
        {**row, "id": str(row["id"])} for row in lines(folder / "b")
    ]
    assert [row["file_name"] for row in lines(folder / "a")] == paths


def test_only_damaged_images(folder):
    only = folder / "bad"
    only.mkdir()
    (only / "a.jpg").write_bytes(b"no image")
    found = run(folder, source=only)
    assert (found.images, len(found.skipped)) == (0, 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A detector of random weights, saved as a checkpoint."""
    folder = tmp_path_factory.mktemp("model") / "saved"
    odapi.ObjectDetector.from_config(small_config("ssd")).save(folder)
    return folder


def command(folder, model, output, *more):
    return [
        *("tools", "predict", str(model), str(folder / "in" / "*.png")),
        *("--output", str(folder / output), "--min-score", "0.02"),
        *("--batch-size", "2", "--num-shards", "4", *more),
    ]


def test_objects_are_those_of_odapi_predict(folder, model):
    rng = np.random.default_rng(0)
    for path in (folder / "in").glob("image_?.png"):
        cv2.imwrite(str(path), rng.integers(0, 255, (90, 120, 3), np.uint8))
    more = ["--max-detections", "5", "--tile", "64", "--classes", "1"]
    for tiled in ([], more):
        output = f"out{len(tiled)}"
        arguments = command(folder, model, output, *tiled, "--json")
        done = CliRunner().invoke(app, [*arguments, "--", "--runner=DirectRunner"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["images"] == COUNT
        expected = ["predict", str(model), str(folder / "in" / "*.png"), "--json"]
        expected += ["--min-score", "0.02", "--batch-size", "2", *tiled]
        printed = CliRunner().invoke(app, expected)
        rows = json.loads(printed.stdout)["images"]
        assert sum(len(row["objects"]) for row in rows) > COUNT
        found = lines(folder / output)
        # One of the images cannot be read, which numbers of `odapi predict` ignore.
        for row in (*rows, *found):
            row.pop("id")
        assert found == rows


def test_a_changed_model_is_refused(folder, model, tmp_path):
    copy = tmp_path / "copy"
    odapi.ObjectDetector.load(model).save(copy)
    done = CliRunner().invoke(app, command(folder, copy, "out"))
    assert done.exit_code == 0, done.output
    assert "Next: head -n 1" in done.output
    other = odapi.ObjectDetector.from_config(small_config("ssd"))
    weight = other.keras_model.trainable_weights[0]
    weight.assign(weight + 1)
    other.save(tmp_path / "other")
    (copy / "weights.h5").write_bytes((tmp_path / "other/weights.h5").read_bytes())
    again = CliRunner().invoke(app, command(folder, copy, "out"))
    assert isinstance(again.exception, OutputError)
    assert "the files of model have changed" in str(again.exception)


def test_a_glob_that_the_shell_expanded_is_named():
    done = CliRunner().invoke(
        app, ["tools", "predict", "m", "a.jpg", "b.jpg", "--output", "x"]
    )
    assert isinstance(done.exception, DataError)
    assert "'b.jpg' follows it" in str(done.exception)


KILLED = """
import prediction_fakes, sys
from odapi.tools.predict_images import predict_images
from odapi.tools.prediction_job import PredictionOptions

options = PredictionOptions(min_score=0.5, batch_size=2)
predict_images(*sys.argv[1:], options, 4, load=prediction_fakes.load_logged)
"""


def test_a_killed_run_is_resumed_with_the_same_bytes(folder, monkeypatch):
    run(folder, "undisturbed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    log, output = folder / "log", folder / "out"
    started = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(log), str(folder / "in"), str(output)]
    )
    limit = time.monotonic() + 120
    while time.monotonic() < limit and not list(output.glob("shards/*.json")):
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    assert started.wait() == -signal.SIGKILL
    done = len(list(output.glob("shards/*.json")))
    assert 1 <= done < 4
    found = run(folder, model=log, load=fakes.load_logged)
    assert (found.images, found.computed) == (COUNT, 4 - done)
    assert content(output) == content(folder / "undisturbed")


def test_two_worker_processes_load_the_model_once_each(folder, monkeypatch):
    run(folder, "one", shards=6)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    beam = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    log = folder / "log"
    found = run(folder, shards=6, model=log, load=fakes.load_logged, beam=beam)
    assert (found.images, found.computed) == (COUNT, 6)
    loads = log.read_text().split()
    assert len(loads) == len(set(loads)) == 3  # That of the command, and two workers.
    assert content(folder / "out") == content(folder / "one")
