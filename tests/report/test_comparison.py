"""Runs side by side: metrics, configs, plot."""

import json

import numpy as np
import pytest

from odapi.config.diff import diff_all
from odapi.config.load import load_config
from odapi.errors import DataError
from odapi.report.comparison import as_json, compare_runs
from odapi.report.comparison_plot import plot_comparison
from run_files import CATEGORY, MAP, write_evaluation, write_run

TOTAL = "Loss/total_loss"


@pytest.fixture
def runs(tmp_path):
    return [
        write_run(tmp_path / "x/a", [(10, 0.2), (20, 0.1)], [(5, 3.0)], 20),
        write_run(tmp_path / "x/b", [(20, 0.4)], [(5, 2.0)], 20, batch_size=8),
        write_run(tmp_path / "x/c", step=20, reason=None, num_steps=50),
    ]


def test_metrics_and_configs(runs):
    found = compare_runs(runs)
    assert [run.name for run in found.runs] == ["a", "b", "c"]
    assert found.metrics == (MAP, CATEGORY, TOTAL, f"train/{TOTAL}")
    assert found.parameters == (20, 20, 20)
    assert found.differences == {
        "train_config.batch_size": ("4", "8", "4"),
        "train_config.num_steps": ("40", "40", "50"),
    }
    content = as_json(found)
    assert content["differences"]["train_config.batch_size"] == {
        "a": "4", "b": "8", "c": "4",
    }  # fmt: skip
    a, _, c = content["runs"]
    assert a["metrics"][MAP] == {
        "best": {"step": 10, "value": 0.2}, "last": {"step": 20, "value": 0.1},
    }  # fmt: skip
    assert c["metrics"][MAP] == {"best": None, "last": None}


def test_an_evaluation_has_metrics_and_no_config(tmp_path, runs):
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    content = {"metrics": {MAP: 0.4}, "num_images": 1, "step": None}
    (evaluation / "metrics.json").write_text(json.dumps(content))
    found = compare_runs([runs[0], evaluation, runs[1]], ["mAP"])
    assert [run.name for run in found.runs] == ["x/a", "evaluation", "x/b"]
    assert found.parameters == (20, None, 20)
    assert found.differences == {"train_config.batch_size": ("4", "8")}
    assert [run.name for run in found.with_config] == ["x/a", "x/b"]


def test_evaluations_are_compared_with_their_models_and_configs(tmp_path):
    outputs = [
        write_evaluation(tmp_path / f"d{n}", 0.1 * n, batch_size=4 + n)
        for n in range(2)
    ]
    found = compare_runs(outputs)
    assert found.metrics == (MAP, CATEGORY)  # No class without objects.
    assert found.parameters == (20, 20)
    assert found.differences == {"train_config.batch_size": ("4", "5")}


def test_a_run_that_is_given_twice_is_refused(runs):
    with pytest.raises(DataError, match="is given twice"):
        compare_runs([runs[0], runs[1], runs[0]])


def test_the_plot_has_a_panel_per_metric_and_a_color_per_run(runs):
    found = compare_runs(runs)
    image = plot_comparison(found)
    assert image.shape == (3 * 380, 900, 3)
    colors = {tuple(c) for c in image.reshape(-1, 3)}
    assert {(255, 64, 64), (0, 150, 255), (50, 205, 50)} <= colors
    assert plot_comparison(found, [CATEGORY]).shape == (380, 900, 3)


def test_runs_without_metrics_have_no_plot(runs):
    assert plot_comparison(compare_runs(runs[2:])) is None


def test_losses_are_cut_above_three_times_their_usual_height(tmp_path):
    losses = [(0, 1e6), *((n, 1.0) for n in range(1, 100))]
    found = compare_runs([write_run(tmp_path / "a", losses=losses)])
    image = plot_comparison(found)
    # The curve of 1.0 is not at the bottom, where 1e6 would press it.
    rows = np.flatnonzero((image == (255, 64, 64)).all(axis=-1).sum(axis=1) > 300)
    assert rows.size and rows.max() < 300


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["", ""], {}),
        (["train_config { batch_size: 8 }", "", "train_config { batch_size: 32 }"],
         {"train_config.batch_size": ("8", "32", "32")}),  # 32 is the default.
        (["model { ssd { } }", "model { ssd { num_classes: 3 } }", ""],
         {"model.ssd": ("{}", "-", "-"), "model.ssd.num_classes": ("0", "3", "0")}),
        (["model { ssd { } }", "model { ssd { num_classes: 3 } }"],
         {"model.ssd.num_classes": ("0", "3")}),
    ],
)  # fmt: skip
def test_differences_of_any_number_of_configs(texts, expected):
    assert diff_all([load_config(f"\n{text}") for text in texts]) == expected
