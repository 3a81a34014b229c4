"""`options.precision: AUTO`: measures formats, chooses one and records it."""

import pytest

import odapi
from odapi.build.precision import FLOAT32
from odapi.checkpoints import folder as folders
from odapi.config.load import load_config, options
from odapi.errors import ConfigError
from odapi.runtime.half_precision import HalfPrecision
from odapi.training import auto_precision, parts
from tiny_detector import TinyDetector
from tiny_samples import CLASSES, make_samples, train_config

CONFIG = train_config(
    "ssd",
    "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",
    "options.precision=AUTO",
)
AMX = HalfPrecision("BFLOAT16", "amx_bf16")


@pytest.mark.parametrize(
    ("full", "half", "chosen"),
    [
        ([[10, 10]], [[5, 5]], "BFLOAT16"),
        ([[10, 10]], [[20, 20]], "FLOAT32"),
        # 2 % faster is within the noise, 3 % is enough.
        ([[100]], [[98]], "FLOAT32"),
        ([[100]], [[97]], "BFLOAT16"),
        # One slow step of either is an outlier.
        ([[10, 10, 90]], [[11, 11, 11]], "FLOAT32"),
        ([[10, 10, 10]], [[5, 5, 900]], "BFLOAT16"),
        # The machine is slower in the second round, for both: 20 % slower in each.
        ([[10], [100], [100]], [[12], [120], [120]], "FLOAT32"),
        # Faster by all steps, but slower in most rounds.
        ([[10], [10], [100]], [[11], [11], [9]], "FLOAT32"),
    ],
)
def test_float32_unless_another_is_faster_by_the_medians(full, half, chosen):
    times = {"FLOAT32": full, "BFLOAT16": half}
    assert auto_precision.decide(times)[0] == chosen


def test_the_line_names_what_was_measured():
    times = {"FLOAT32": [[4800.0, 5000.0]] * 2, "BFLOAT16": [[2300.0, 2320.0]] * 2}
    assert auto_precision.decide(times, "amx_bf16") == (
        "BFLOAT16",
        "Precision: BFLOAT16 (medians of 4 steps each on this batch: FLOAT32 4900 ms, "
        "BFLOAT16 2310 ms; amx_bf16)",
    )


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains a `TinyDetector` in tmp_path/run; lists the precisions it is built in."""
    built = []

    def build(config, seed=None):
        built.append(options(config).Precision.Name(options(config).precision))
        return TinyDetector(seed=seed)

    def call(*overrides, config=CONFIG, half=AMX, slower=1.0, **arguments):
        monkeypatch.setattr(auto_precision, "half_precision", lambda: half)

        def milliseconds(trial, batch, steps, check):
            found = timed(trial, batch, steps, check)
            is_full = len(found) and trial.name == FLOAT32
            return [slower if is_full else 1.0] * len(found)

        monkeypatch.setattr(auto_precision.Trial, "run", milliseconds)
        built.clear()
        data = {"train_data": make_samples(), "classes": CLASSES}
        odapi.train(config, tmp_path / "run", overrides, **data | arguments)
        saved = options(load_config(folders.find(tmp_path / "run")))
        return saved.Precision.Name(saved.precision), list(built)

    timed = auto_precision.Trial.run
    monkeypatch.setattr(parts, "build_detector", build)
    monkeypatch.setattr(auto_precision, "build_detector", build)
    return call


def test_the_fastest_precision_is_recorded_and_kept(train, capsys):
    assert train(slower=2.0) == ("BFLOAT16", ["FLOAT32", "BFLOAT16", "BFLOAT16"])
    said = " ".join(capsys.readouterr().err.split())
    assert "Precision: AUTO times training steps in FLOAT32 and BFLOAT16" in said
    assert "Precision: BFLOAT16 (medians of 15 steps each on this batch:" in said
    # The resumed run measures nothing, whatever would be faster now.
    assert train("train_config.num_steps=4") == ("BFLOAT16", ["BFLOAT16"])
    with pytest.raises(ConfigError, match=r"^options\.precision: differs from the run"):
        train("train_config.num_steps=6", "options.precision=FLOAT32")


def test_float32_where_16_bits_are_slower(train):
    assert train(slower=0.5) == ("FLOAT32", ["FLOAT32", "BFLOAT16", "FLOAT32"])


def test_nothing_is_timed_without_the_hardware(train, capsys):
    none = HalfPrecision("", "the processor has neither amx_bf16 nor avx512_bf16")
    assert train(half=none) == ("FLOAT32", ["FLOAT32"])
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "Precision: FLOAT32 (AUTO timed nothing: the processor has neither amx_bf16 "
        "nor avx512_bf16)" in said
    )


def test_a_run_that_chose_is_the_run_that_was_told(train, tmp_path):
    """Timing uses no batch and no random number of the run."""
    losses = {}
    for name, precision in (("auto", "AUTO"), ("told", "BFLOAT16")):
        config = load_config(CONFIG, [f"options.precision={precision}"])
        train(config=config, slower=2.0)
        (tmp_path / "run").rename(tmp_path / name)
        losses[name] = [
            line.partition('"Loss')[2]
            for line in (tmp_path / name / "losses.jsonl").read_text().splitlines()
        ]
    assert losses["auto"] == losses["told"] and losses["auto"][0]
