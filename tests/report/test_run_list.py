"""Lists of runs: found at any depth, sorted, filtered."""

import pytest

from odapi.errors import DataError
from odapi.report.metric_names import find_name, find_names, short_name
from odapi.report.run_list import SORTS, as_json, list_runs
from run_files import CATEGORY, MAP, write_evaluation, write_run


@pytest.fixture
def runs(tmp_path):
    write_run(tmp_path / "b", [(10, 0.7)], [(5, 1.5)], step=10)
    write_run(tmp_path / "deep/a", [(10, 0.5), (20, 0.9)], [(5, 2.5)], step=20)
    write_run(tmp_path / "c", step=5, reason="diverged")
    write_run(tmp_path / ".hidden/d", step=5)
    (tmp_path / "notes").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("sort", "metric", "names"),
    [
        ("name", "", ["b", "c", "deep/a"]),
        ("metric", "", ["deep/a", "b", "c"]),
        ("metric", "mAP", ["deep/a", "b", "c"]),
        ("metric", "train/Loss/total_loss", ["b", "deep/a", "c"]),  # Lower is better.
        ("step", "", ["deep/a", "b", "c"]),
        ("state", "", ["c", "b", "deep/a"]),
    ],
)
def test_runs_are_sorted(runs, sort, metric, names):
    assert [r.name for r in list_runs(runs, sort, metric).runs] == names


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_accepts_runs_without_anything(tmp_path, sort):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", [(10, 0.7)], step=10)
    assert len(list_runs(tmp_path, sort).runs) == 2


def test_runs_are_filtered(runs):
    assert [r.name for r in list_runs(runs, states=["diverged"]).runs] == ["c"]
    assert [r.name for r in list_runs(runs, name="deep/*").runs] == ["deep/a"]
    assert list_runs(runs, states=["running"]).runs == ()


def test_evaluations_are_listed_if_asked_for_or_if_there_is_no_run(runs):
    write_evaluation(runs / "evaluations/d0", 0.4)
    write_evaluation(runs / "evaluations/d1", 0.5)
    assert [r.name for r in list_runs(runs).runs] == ["b", "c", "deep/a"]
    found = list_runs(runs, states=["evaluation"]).runs
    assert [r.name for r in found] == ["evaluations/d0", "evaluations/d1"]
    found = list_runs(runs / "evaluations", sort="metric").runs
    assert [(r.name, r.best(MAP)) for r in found] == [
        ("d1", (0, 0.5)),
        ("d0", (0, 0.4)),
    ]
    assert list_runs(runs, states=["running"]).runs == ()


def test_a_run_is_a_list_of_one(runs):
    assert [r.name for r in list_runs(runs / "deep/a").runs] == ["a"]


def test_json_has_best_and_last_values(runs):
    [row] = as_json(list_runs(runs, name="deep/a"))
    assert row["metrics"] == {
        MAP: {"best": {"step": 20, "value": 0.9}, "last": {"step": 20, "value": 0.9}}
    }
    assert (row["state"], row["step"], row["problems"]) == ("finished", 20, [])


@pytest.mark.parametrize(("place", "problem"), [("gone", "does not exist")])
def test_a_folder_that_does_not_exist_is_refused(tmp_path, place, problem):
    with pytest.raises(DataError, match=problem):
        list_runs(tmp_path / place)


def test_an_unknown_metric_is_refused_with_the_known_ones(runs):
    with pytest.raises(DataError, match="no run has this metric; known are") as caught:
        list_runs(runs, metric="mAp")
    assert caught.value.hint == "did you mean 'mAP'?"


def test_a_metric_of_evaluations_comes_before_a_loss_of_the_training():
    names = ["train/Loss/a", "Loss/a", "train/Loss/b"]
    assert find_name("a", names) == "Loss/a"
    assert find_name("b", names) == "train/Loss/b"


MASK = "DetectionMasks_Precision/mAP"


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([MAP], [MAP]),
        (["mAP"], [MAP, MASK]),
        (["cat"], [CATEGORY]),
        (["*Loss*", "mAP"], ["Loss/a", "train/Loss/a", MAP, MASK]),
    ],
)
def test_metrics_by_short_names(patterns, found):
    names = [MAP, MASK, CATEGORY, "Loss/a", "train/Loss/a"]
    assert find_names(patterns, names) == found


def test_a_name_of_several_metrics_is_refused_where_one_is_needed():
    with pytest.raises(DataError, match="is not unique: it stands for Det"):
        find_name("mAP", [MAP, MASK])


@pytest.mark.parametrize(
    ("name", "short"),
    [
        (MAP, "mAP"),
        (MASK, "Masks mAP"),
        ("DetectionBoxes_Recall/AR@100 (small)", "AR@100 (small)"),
        (CATEGORY, "AP/cat"),
        ("train/Loss/total_loss", "train/Loss/total_loss"),
    ],
)
def test_short_names(name, short):
    assert short_name(name) == short
