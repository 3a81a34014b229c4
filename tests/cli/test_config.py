"""`odapi config check | show | diff`."""

import json
import sys
import warnings

import pytest
from typer.testing import CliRunner

from odapi.cli.config import app
from odapi.cli.main import main

FPN = "configs/tf2/ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.config"


@pytest.fixture
def run():
    def invoke(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return invoke


def test_check_lists_warnings_and_exits_0(run, shared):
    done = run("check", shared / FPN, "--no-paths")
    assert done.exit_code == 0
    assert "train_config.sync_replicas" in done.output
    assert "0 errors, 6 warnings; the config can be used" in done.output


def test_check_lists_errors_and_exits_1(run, shared):
    done = run("check", shared / FPN, "--set", "train_config.batch_size=0")
    assert done.exit_code == 1
    assert "PATH_TO_BE_CONFIGURED" in done.output
    assert "6 errors, 6 warnings" in done.output


def test_check_names_the_line_of_each_finding(run, tmp_path):
    file = tmp_path / "a.config"
    file.write_text("model {\n  ssd {\n    num_classes: 0\n  }\n}\n")
    done = run("check", file, "--no-paths")
    assert "a.config:3" in "".join(done.output.split())
    found = json.loads(run("check", tmp_path, "--no-paths", "--json").output)
    assert {f["path"]: f["line"] for f in found}["model.ssd.num_classes"] == 3


def test_check_for_evaluation_leaves_training_out(run, shared):
    done = run("check", shared / FPN, "--for-eval", "--no-paths")
    assert "train_config" not in done.output


def test_show_prints_what_loads_back(run, shared):
    from odapi.config.load import load_config

    done = run("show", shared / FPN, "--set", "options.seed=3")
    assert load_config(done.stdout) == load_config(shared / FPN, ["options.seed=3"])


def test_show_with_defaults_marks_them(run, shared):
    done = run("show", shared / FPN, "--defaults")
    assert "  shuffle_buffer_size: 2048  # default\n" in done.output


def test_diff_exits_1_where_there_is_a_difference(run, shared):
    done = run("diff", shared / FPN, shared / FPN)
    assert (done.exit_code, done.output) == (0, "no difference\n")
    done = run("diff", shared / FPN, shared / FPN, "--set", "train_config.batch_size=8")
    assert done.exit_code == 1
    assert "train_config.batch_size" in done.output


def test_a_warning_has_no_line_of_our_code(tmp_path, monkeypatch, capsys):
    file = tmp_path / "a.config"
    file.write_text("model { ssd { } }\nmodel { ssd { } }\n")
    monkeypatch.setattr(sys, "argv", ["odapi", "config", "show", str(file)])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings(), pytest.raises(SystemExit):
        warnings.simplefilter("always")
        main()
    assert capsys.readouterr().err.partition("Next:")[0] == (
        f"warning: {file}:2:7: model is given twice\n"
        "    model { ssd { } }\n          ^\n  the last one counts\n"
    )
