"""`odapi benchmark`: statistics, processes, and what is written."""

import json
import os
import pathlib

import numpy as np
import pytest
from typer.testing import CliRunner

from odapi.cli.main import app
from odapi.errors import CheckpointError, ConfigError, DataError
from odapi.runtime.cpu import processor
from odapi.timing.benchmark import Benchmark, ModelFacts, Timing, _timing, benchmark
from odapi.timing.latency_plot import plot_latency
from odapi.timing.worker_process import WorkerProcess

IMAGES = [np.zeros((40, 60, 3), np.uint8)]


def test_statistics_of_calls():
    rounds = [np.array([10.0, 12.0, 14.0]), np.array([20.0, 20.0, 26.0])]
    found = _timing("model", 2, 4, rounds)
    assert (found.model, found.threads, found.batch_size, found.calls) == (
        "model", 2, 4, 6,
    )  # fmt: skip
    assert found.mean_ms == pytest.approx(17.0)
    assert found.p50_ms == pytest.approx(17.0)  # Between 14 and 20.
    # NumPy's percentile of six values: 0.95 of the way from the fifth to the sixth.
    assert found.p99_ms == pytest.approx(25.7)
    assert found.images_per_second == pytest.approx(4 / 0.017)
    assert found.spread == pytest.approx((20 - 12) / 17)


@pytest.mark.parametrize("maps", [(0.3, 0.4), (None, None)])
def test_the_plot_has_a_dot_per_model(maps):
    models = tuple(
        ModelFacts(f"run/{i}", 1.0, 1.0, 1.0, 100.0, value)
        for i, value in enumerate(maps)
    )
    timings = tuple(
        Timing(f"run/{i}", threads, 1, 9, ms, ms, ms, 1e3 / ms, 0.1)
        for i in range(2)
        for threads, ms in ((1, 40.0 + i), (2, 20.0 + i))
    )
    image = plot_latency(Benchmark(models, timings, 1, 1.0, 1, (40, 60)))
    blank = plot_latency(Benchmark(models[:1], timings[:2], 1, 1.0, 1, (40, 60)))
    assert image.shape == (540, 860, 3) and not np.array_equal(image, blank)


def test_no_images_are_refused_before_a_process_starts():
    with pytest.raises(DataError, match="there are none to time models on"):
        benchmark([pathlib.Path("none")], [])


def test_a_path_that_is_no_model_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="folder: has no checkpoint"):
        benchmark([tmp_path / "folder"], IMAGES, threads=[1])


def test_a_process_that_ends_shows_its_last_lines(tmp_path):
    with pytest.raises(CheckpointError, match=r"ended with exit code 1:[\s\S]*no\.npz"):
        WorkerProcess(tmp_path, tmp_path / "no.npz", 1)


def test_images_or_data_must_be_named():
    with pytest.raises(ConfigError, match="--data: or --images names the images"):
        CliRunner().invoke(app, ["benchmark", "run"], catch_exceptions=False)


def test_the_processor_is_named_with_its_features(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: A CPU\nflags\t\t: fpu avx2 avx512_vnni amx_bf16\n")
    assert processor(file) == "A CPU (avx2, avx512_vnni, amx_bf16; no avx512_bf16)"
    assert processor(tmp_path / "none").startswith("unknown processor (; no ")


class Answers:
    """Stands for a worker process: a call takes 10 ms, and mAP is 0.25."""

    asked: list = []  # noqa: RUF012

    def __init__(self, path, images, cores):
        self.path, self.cores = path, cores
        self.loaded = {"load_seconds": 1.0, "first_seconds": 2.0}
        with np.load(images) as file:
            assert file[file.files[0]].shape == (40, 60, 3)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, do, **command):
        self.asked.append((self.path.name, self.cores, do, *command.values()))
        return {
            "time": {"seconds": [0.01] * 5},
            "memory": {"peak_mb": 100.0},
            "evaluate": {"DetectionBoxes_Precision/mAP": 0.25},
        }[do]


def test_models_take_turns_for_every_number_of_threads_and_images(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("odapi.timing.benchmark.WorkerProcess", Answers)
    monkeypatch.setattr(Answers, "asked", [])
    for name in "ab":
        (tmp_path / name).write_bytes(bytes(2_000_000))
    result = benchmark(
        [tmp_path / "a", tmp_path / "b"],
        IMAGES,
        data="coco:val.json",
        max_images=7,
        threads=[1, 2],
        batch_sizes=[1, 4],
        rounds=2,
        seconds=0.5,
    )
    turns = [row[:2] for row in Answers.asked if row[2] == "time" and row[3] == 1]
    assert turns == [("a", 1), ("b", 1)] * 2 + [("a", 2), ("b", 2)] * 2
    assert [row for row in Answers.asked if row[2] == "evaluate"] == [
        ("a", 2, "evaluate", "coco:val.json", 7),
        ("b", 2, "evaluate", "coco:val.json", 7),
    ]
    assert [(f.megabytes, f.peak_mb, f.map) for f in result.models] == [
        (2.0, 100.0, 0.25)
    ] * 2
    rates = {(t.threads, t.batch_size): t.images_per_second for t in result.timings}
    assert rates == pytest.approx({(1, 1): 100, (1, 4): 400, (2, 1): 100, (2, 4): 400})


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="of Linux")
def test_an_exported_file_is_timed_by_the_command(tmp_path):
    from benchmarks.spread_weights import spread_weights
    from requirement import require
    from small_models import small_config

    require("ai_edge_litert")
    import odapi
    from odapi.draw.file import save_image

    detector = odapi.build_detector(small_config("ssd"), seed=0)
    spread_weights(detector)
    held = odapi.ObjectDetector.from_keras(detector)
    held.export(tmp_path / "out", format="tflite", untrained=True)
    save_image(tmp_path / "images" / "1.png", IMAGES[0])
    command = [
        "benchmark", str(tmp_path / "out" / "model.tflite"),
        "--images", str(tmp_path / "images"), "--threads", "1",
        "--rounds", "2", "--seconds", "0.05", "--output", str(tmp_path / "timed"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    content = json.loads((tmp_path / "timed" / "benchmark.json").read_text())
    (timing,) = content["timings"]
    assert timing["calls"] >= 10 and 0 < timing["p50_ms"] <= timing["p99_ms"]
    (facts,) = content["models"]
    assert facts["peak_mb"] > 10 and facts["map"] is None
    assert content["processor"] == processor()
    assert (tmp_path / "timed" / "benchmark.png").is_file()
    assert "model.tflite" in done.stdout
