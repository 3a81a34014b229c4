"""Every subcommand: help, JSON output, exit codes, no lost markup."""

import errno
import json
import re

import pytest
from typer.testing import CliRunner

from command_tree import COMMANDS
from odapi.cli import main as cli
from odapi.errors import ConfigError
from tiny_data import write_coco


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_subcommand_has_json(path):
    assert "--json" in {o for p in COMMANDS[path].params for o in p.opts}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["doctor", "--json"], 0),
        (["no-such-command"], 2),
        (["train"], 2),
        (["train", "a.config", "--model-dir", "b", "--num-steps", "0"], 2),
        (["train", "a.config", "--model-dir", "b", "--num_step", "5"], 2),
    ],
)
def test_exit_codes(arguments, code):
    assert run(*arguments).exit_code == code


def test_an_error_of_the_user_is_one_message_and_exit_code_1(capsys, monkeypatch):
    def fail(prog_name):
        raise ConfigError("train_config.batch_size", "must be at least 1, got 0")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    expected = "ConfigError: train_config.batch_size: must be at least 1, got 0\n"
    assert printed.err == expected


def test_doctor_names_backends_devices_and_install_commands():
    components = {c["name"]: c for c in json.loads(run("doctor", "--json").output)}
    assert components["keras"]["status"] == "ok"
    active = [c for c in components.values() if c["note"].startswith("active backend")]
    assert len(active) == 1 and "CPU" in active[0]["note"]


@pytest.mark.parametrize(
    ("variable", "row"),
    [
        ("jax", None),
        ("torhc", ("broken", "KERAS_BACKEND: unknown value 'torhc'; known values are "
                   "tensorflow, jax, torch; did you mean 'torch'?", "")),
        ("torch", ("missing", "KERAS_BACKEND=torch: needs the package 'torch', which "
                   "is not installed",
                   'pip install "odapi[torch]", or use what is installed: '
                   "KERAS_BACKEND=tensorflow")),
    ],
)  # fmt: skip
def test_doctor_reports_a_backend_that_cannot_be_chosen(monkeypatch, variable, row):
    from odapi.runtime import backend_choice, environment

    installed = ("tensorflow", "jax")
    monkeypatch.setattr(backend_choice, "_running", lambda: "")
    monkeypatch.setattr(backend_choice, "is_installed", lambda m: m in installed)
    monkeypatch.setattr(
        environment, "_active", lambda *args: environment.Component("x")
    )
    monkeypatch.setenv("KERAS_BACKEND", variable)
    done = run("doctor", "--json")
    rows = [c for c in json.loads(done.output) if c["name"] == "backend"]
    found = [(c["status"], c["note"], c["install"]) for c in rows]
    assert found == ([row] if row else [])
    assert done.exit_code == (1 if row else 0)


def test_doctor_fails_if_a_required_package_is_missing(monkeypatch):
    from odapi.runtime import environment

    known = environment.is_installed
    monkeypatch.setattr(
        environment, "is_installed", lambda name: name != "hotcoco" and known(name)
    )
    done = run("doctor")
    assert done.exit_code == 1
    row = next(line for line in done.output.splitlines() if "hotcoco" in line)
    assert "missing" in row and "pip install hotcoco" in row


def test_data_inspect_prints_one_json_document(tmp_path):
    spec = write_coco(tmp_path)
    report = json.loads(run("data", "inspect", spec, "--json").output)
    assert report["data"]["images"] > 0


def test_data_convert_and_split_print_one_json_document(tmp_path):
    spec = write_coco(tmp_path / "coco")
    made = json.loads(
        run(
            "data",
            "convert",
            spec,
            "--to",
            "yolo",
            "--output",
            tmp_path / "y",
            "--json",
        ).output
    )
    assert made["spec"].startswith("yolo:")
    shares = ["--shares", "50/50", "--output", tmp_path / "parts", "--json"]
    parts = json.loads(run("data", "split", spec, *shares).output)
    assert sum(part["images"] for part in parts.values()) == made["images"]


def test_config_show_prints_json(tmp_path):
    path = tmp_path / "pipeline.config"
    path.write_text("model { ssd { num_classes: 3 } }")
    shown = json.loads(run("config", "show", path, "--json").output)
    assert shown == {"model": {"ssd": {"num_classes": 3}}}
    shown = json.loads(run("config", "show", path, "--json", "--defaults").output)
    assert shown["model"]["ssd"]["negative_class_weight"] == 1.0


def test_an_error_leaves_standard_output_empty_with_json(tmp_path, capsys, monkeypatch):
    arguments = ["odapi", "config", "show", str(tmp_path / "none.config"), "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (1, "")
    assert printed.err.startswith(f"ConfigError: {tmp_path / 'none.config'}: ")


def test_config_check_and_diff_print_json(tmp_path):
    path = tmp_path / "pipeline.config"
    path.write_text("model { ssd { num_classes: 0 } }")
    done = run("config", "check", path, "--json")
    assert done.exit_code == 1
    paths = [f["path"] for f in json.loads(done.output) if f["is_error"]]
    assert any("num_classes" in p for p in paths)
    done = run("config", "diff", path, path, "--json")
    assert (done.exit_code, json.loads(done.output)) == (0, [])


def test_tables_in_a_pipe_have_no_trailing_blanks(tmp_path):
    path = tmp_path / "pipeline.config"
    path.write_text("model { ssd { num_classes: 0 } }")
    other = tmp_path / "other.config"
    other.write_text("model { ssd { num_classes: 3 } }")
    lines = run("config", "diff", path, other).stdout.splitlines()
    assert lines == [
        f"field                  {path}  {other}",
        "model.ssd.num_classes  0" + " " * 41 + "3",
    ]


def test_config_check_prints_one_line_per_finding(tmp_path):
    path = tmp_path / "pipeline.config"
    path.write_text("model {\n  ssd {\n    num_classes: 0\n  }\n}\n")
    lines = run("config", "check", path, "--no-paths").stdout.splitlines()
    assert f"{path}:2: error: model.ssd.image_resizer: is missing" in lines
    assert [n for n in lines if n.startswith(f"{path}:3: error: model.ssd.num_classes")]
    assert lines[-1].startswith(f"{path}: ")
    assert not any(re.search(r"\s$", line) for line in lines)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOTDIR, "Not a directory", "a/b"),
         "NotADirectoryError: a/b: Not a directory"),
        (OSError(errno.EACCES, "Permission denied", b"a"),
         "PermissionError: a: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"),
         "OSError: No space left on device"),
    ],
)  # fmt: skip
def test_a_path_that_the_system_refuses_is_one_message(
    error, message, capsys, monkeypatch
):
    def fail(prog_name):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (1, message + "\n")


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    def fail(prog_name):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(OSError, match="Input/output error"):
        cli.main()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["config", "check", "{config}", "--no-paths"],
         "Next: odapi train '{config}' --model-dir DIR\n"),
        (["config", "show", "{config}"], "Next: odapi config check '{config}'\n"),
        (["config", "diff", "{config}", "{other}"],
         "Next: odapi config check {other}\n"),
        (["data", "inspect", "{data}"],
         "Next: odapi data inspect '{data}' --output DIR draws images\n"),
        (["zoo", "list", "--family", "mask"],
         "Next: odapi zoo download mask_rcnn_inception_resnet_v2_1024x1024_coco17_"
         "gpu-8\n"),
        (["doctor"], "Next: odapi quickstart\n"),
    ],
)  # fmt: skip
def test_the_next_step_is_a_command_for_the_shell_on_standard_error(
    tmp_path, shared, arguments, expected
):
    names = {
        "config": tmp_path / "my [1].config",
        "other": tmp_path / "other.config",
        "data": write_coco(tmp_path / "my data"),
    }
    text = (
        shared / "configs/tf2/ssd_mobilenet_v2_320x320_coco17_tpu-8.config"
    ).read_text("utf-8")
    names["config"].write_text(text)
    names["other"].write_text("model { ssd { num_classes: 3 } }")
    done = run(*(a.format(**names) for a in arguments))
    assert done.stderr == expected.format(**names)
    assert "Next" not in done.stdout
