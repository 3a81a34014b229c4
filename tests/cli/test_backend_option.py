"""--backend: on every subcommand that runs a model, checked before work starts."""

import keras
import pytest
from typer.testing import CliRunner

from command_tree import COMMANDS
from odapi.cli import main as cli
from odapi.cli.backend import select_backend, select_export_backend
from odapi.errors import ConfigError
from odapi.runtime import backend, backend_choice
from odapi.runtime.backend_choice import Choice

_RUN_A_MODEL = [
    ("quickstart",), ("train",), ("eval",), ("predict",), ("export",),
    ("tune",), ("zoo", "import"), ("zoo", "export-checkpoint"),
    ("tools", "predict"), ("tools", "infer-detections"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _same_process(monkeypatch):
    monkeypatch.setattr(backend_choice, "_of_option", [])
    monkeypatch.setattr(backend, "_listeners", [])
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())


def test_subcommands_that_run_a_model_have_the_option():
    have = [
        path for path, command in COMMANDS.items()
        if "--backend" in {o for p in command.params for o in p.opts}
    ]  # fmt: skip
    assert sorted(have) == sorted(_RUN_A_MODEL)


@pytest.mark.parametrize(
    "arguments",
    [
        ["quickstart", "--output", "q"],
        ["train", "none.config", "--model-dir", "r"],
        ["eval", "none"],
        ["predict", "none", "none.jpg"],
        ["export", "none", "e"],
    ],
    ids=lambda a: a[0],
)
def test_an_unknown_backend_is_refused_before_anything_else(
    arguments, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app, [*arguments, "--backend", "pytorch"])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception) == (
        "--backend: unknown value 'pytorch'; known values are tensorflow, jax, torch\n"
        "  hint: did you mean 'torch'?"
    )
    assert list(tmp_path.iterdir()) == []


def test_export_refuses_a_backend_that_cannot_write_the_format(monkeypatch):
    monkeypatch.setattr(backend_choice, "_running", lambda: "")
    with pytest.raises(ConfigError) as raised:
        select_export_backend("jax")
    assert str(raised.value) == (
        "--backend: is jax, and models are exported on tensorflow\n"
        "  hint: leave out --backend: checkpoints are the same on every backend"
    )


def test_the_backend_is_named_on_standard_error(capsys):
    select_backend(None)
    (listener,) = backend._listeners
    listener(Choice("jax", "the only one installed"))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (
        "", "Backend: jax (the only one installed)\n",
    )  # fmt: skip
