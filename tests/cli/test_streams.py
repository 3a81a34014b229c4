"""The command in a process of its own: encodings of its streams, closed pipes."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tiny_data import write_coco

NAME = "零 [é]"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    spec = write_coco(tmp_path_factory.mktemp("data"))
    file = pathlib.Path(spec.removeprefix("coco:"))
    content = json.loads(file.read_text("utf-8"))
    content["categories"][0]["name"] = NAME
    file.write_text(json.dumps(content), "utf-8")
    return spec


def run(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "odapi.cli", *map(str, arguments)],
        capture_output=True,
        env=os.environ | environment,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


ENCODINGS = [
    ({"PYTHONIOENCODING": "ascii"}, r"\u96f6 [\xe9]"),
    ({"PYTHONIOENCODING": "cp1252"}, r"\u96f6 [é]"),
    ({"PYTHONIOENCODING": "utf-8"}, NAME),
    ({"LC_ALL": "C", "LANG": "C"}, NAME),  # Python takes UTF-8 there.
    ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
     r"\u96f6 [\xe9]"),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "name"), ENCODINGS)
def test_names_that_a_stream_cannot_encode_are_escaped(dataset, environment, name):
    code, out, err = run("data", "inspect", dataset, "--no-decode", **environment)
    assert (code, err.count(b"Traceback")) == (0, 0)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    assert f"\n{name} " in out.decode(encoding)


@pytest.mark.parametrize("environment", [e for e, _ in ENCODINGS], ids=str)
def test_json_is_json_in_every_encoding(dataset, tmp_path, environment):
    output = tmp_path / "written"
    code, out, _ = run("data", "inspect", dataset, "--no-decode", "--json", "--output",
                       output, **environment)  # fmt: skip
    assert code == 0
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    assert NAME in json.loads(out.decode(encoding))["data"]["classes"]
    written = json.loads((output / "report.json").read_bytes().decode("utf-8"))
    assert NAME in written["classes"]


def test_errors_with_such_names_are_one_message(tmp_path):
    missing = tmp_path / f"{NAME}.config"
    code, out, err = run("config", "check", missing, PYTHONIOENCODING="ascii")
    assert (code, out) == (1, b"")
    assert err.startswith(b"ConfigError: ") and rb"\u96f6 [\xe9].config" in err


@pytest.mark.parametrize("arguments", [("zoo", "list"), ("train", "--help")], ids=str)
def test_a_closed_pipe_ends_without_a_message(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "odapi.cli", *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 1
