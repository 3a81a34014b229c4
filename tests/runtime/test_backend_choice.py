"""Choice of the Keras backend; errors of unknown names and missing packages."""

import json
import os
import subprocess
import sys

import pytest

from odapi.errors import ConfigError, MissingPackageError
from odapi.runtime import backend_choice
from odapi.runtime.backend_choice import OPTION, Choice, choose, use

_ALL = ("tensorflow", "jax", "torch")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Returns a function that sets what is installed and asked for."""
    monkeypatch.setattr(backend_choice, "_running", lambda: "")
    monkeypatch.setattr(backend_choice, "_of_option", [])
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def set_up(installed, variable=None, file=None):
        monkeypatch.setattr(backend_choice, "is_installed", lambda m: m in installed)
        monkeypatch.setenv("KERAS_BACKEND", variable or "")
        if file is not None:
            (tmp_path / "keras.json").write_text(file)
        return tmp_path / "keras.json"

    return set_up


@pytest.mark.parametrize(
    ("installed", "variable", "file", "expected"),
    [
        (_ALL, None, None, ("tensorflow", "the default")),
        (["jax"], None, None, ("jax", "the only one installed")),
        (["torch"], None, None, ("torch", "the only one installed")),
        (["jax", "torch"], None, None,
         ("jax", "the first one installed of tensorflow, jax, torch")),
        (_ALL, "torch", None, ("torch", "set by KERAS_BACKEND")),
        (_ALL, "torch", '{"backend": "jax"}', ("torch", "set by KERAS_BACKEND")),
        # Keras writes this file by itself.
        (["torch"], None, '{"backend": "tensorflow"}',
         ("torch", "the only one installed")),
        (_ALL, None, '{"backend": "tensorflow"}', ("tensorflow", "the default")),
        # Keras reads such files as if they were not there.
        (["jax"], None, "{", ("jax", "the only one installed")),
        (["jax"], None, '{"floatx": "float32"}', ("jax", "the only one installed")),
    ],
)  # fmt: skip
def test_the_backend_is_the_one_asked_for_or_installed(
    machine, installed, variable, file, expected
):
    machine(installed, variable, file)
    assert choose() == Choice(*expected)


def test_the_file_of_keras_is_respected_and_named(machine):
    path = machine(_ALL, file='{"backend": "jax"}')
    assert choose() == Choice("jax", f"set in {path}")


@pytest.mark.parametrize(
    ("installed", "variable", "file", "error", "message"),
    [
        (_ALL, "pytorch", None, ConfigError,
         "KERAS_BACKEND: unknown value 'pytorch'; known values are tensorflow, jax, "
         "torch\n  hint: did you mean 'torch'?"),
        (_ALL, "tf", None, ConfigError,
         "KERAS_BACKEND: unknown value 'tf'; known values are tensorflow, jax, torch\n"
         "  hint: did you mean 'tensorflow'?"),
        (_ALL, "JAX", None, ConfigError,
         "KERAS_BACKEND: unknown value 'JAX'; known values are tensorflow, jax, torch\n"
         "  hint: did you mean 'jax'?"),
        # Keras has this one; odapi cannot train on it.
        (_ALL, "numpy", None, ConfigError,
         "KERAS_BACKEND: unknown value 'numpy'; known values are tensorflow, jax, "
         "torch"),
        (["jax"], "torch", None, MissingPackageError,
         "KERAS_BACKEND=torch: needs the package 'torch', which is not installed\n"
         '  hint: pip install "odapi[torch]", or use what is installed: '
         "KERAS_BACKEND=jax"),
        ([], "torch", None, MissingPackageError,
         "KERAS_BACKEND=torch: needs the package 'torch', which is not installed\n"
         '  hint: pip install "odapi[torch]"'),
        ([], None, None, MissingPackageError,
         "Keras: needs the package 'tensorflow', which is not installed\n"
         '  hint: pip install "odapi[tensorflow]", or another backend: '
         'pip install "odapi[jax]" or "odapi[torch]"'),
        (["jax"], None, '{"backend": "torch"}', MissingPackageError,
         "FILE: backend=torch: needs the package 'torch', which is not installed\n"
         '  hint: pip install "odapi[torch]", or use what is installed: '
         "KERAS_BACKEND=jax"),
        (_ALL, None, '{"backend": "theano"}', ConfigError,
         "FILE: backend: unknown value 'theano'; known values are tensorflow, jax, "
         "torch"),
    ],
)  # fmt: skip
def test_errors_name_what_is_known_and_installed(
    machine, installed, variable, file, error, message
):
    path = machine(installed, variable, file)
    with pytest.raises(error) as raised:
        choose()
    assert str(raised.value) == message.replace("FILE", str(path))


def test_the_option_wins_over_the_variable(machine):
    machine(_ALL, "torch")
    use("jax")
    assert os.environ["KERAS_BACKEND"] == "jax"
    assert choose() == Choice("jax", "set by --backend")


@pytest.mark.parametrize(
    ("name", "running", "error", "message"),
    [
        ("pytorch", "", ConfigError,
         "--backend: unknown value 'pytorch'; known values are tensorflow, jax, torch\n"
         "  hint: did you mean 'torch'?"),
        ("tensorflow", "", MissingPackageError,
         "--backend tensorflow: needs the package 'tensorflow', which is not installed"
         '\n  hint: pip install "odapi[tensorflow]", or use what is installed: '
         "--backend jax"),
        ("torch", "jax", ConfigError,
         "--backend: is torch, but Keras already runs on jax in this process\n"
         "  hint: set KERAS_BACKEND=torch before Keras is imported"),
    ],
)  # fmt: skip
def test_errors_of_the_option(machine, monkeypatch, name, running, error, message):
    machine(["jax", "torch"])
    monkeypatch.setattr(backend_choice, "_running", lambda: running)
    with pytest.raises(error) as raised:
        use(name)
    assert str(raised.value) == message
    assert OPTION in message
    assert os.environ["KERAS_BACKEND"] == ""


@pytest.mark.parametrize("running", ["numpy", "openvino"])
def test_a_backend_of_keras_that_odapi_does_not_support(machine, monkeypatch, running):
    machine(_ALL)
    monkeypatch.setattr(backend_choice, "_running", lambda: running)
    with pytest.raises(ConfigError) as raised:
        choose()
    assert str(raised.value) == (
        f"Keras: unknown value {running!r}; known values are tensorflow, jax, torch"
    )


_START = """
import json, sys, tempfile
import odapi
odapi.build_detector
from odapi.runtime.backend import load_grain
from odapi.runtime.determinism import seed_everything
from odapi.trackers.tensorboard import TensorBoard
import keras
seed_everything(2**40, deterministic=False)
drawn = [keras.random.uniform((1,)), keras.random.uniform((1,))]
seed_everything(2**40, deterministic=False)
again = [keras.random.uniform((1,)), keras.random.uniform((1,))]
load_grain()
import odapi.data.loader.grouping
TensorBoard(tempfile.mkdtemp())
numbers = [float(keras.ops.convert_to_numpy(x)[0]) for x in drawn + again]
loaded = [m for m in ("tensorflow", "jax", "torch") if m in sys.modules]
print(json.dumps([loaded, numbers]))
"""


@pytest.mark.backend
def test_no_other_backend_is_imported_and_nothing_is_logged(tmp_path):
    import keras

    name = keras.backend.backend()
    done = subprocess.run(
        [sys.executable, "-c", _START],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.endswith(("LEVEL", "level"))}
        | {"KERAS_BACKEND": name, "KERAS_HOME": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded, (one, two, one_again, two_again) = json.loads(done.stdout)
    assert loaded == [name]
    # The seed of `keras.random` is set, too.
    assert one == one_again != two == two_again


def test_keras_imported_after_odapi_runs_on_what_is_installed(tmp_path):
    code = (
        "import odapi, importlib.util\n"
        "from odapi.runtime import backend_choice\n"
        "backend_choice.is_installed = lambda name: name == 'jax'\n"
        "importlib.util.find_spec('keras')\n"  # Looking for it is no import.
        "import keras\n"
        "print(keras.backend.backend(), "
        "'odapi>AnchorDetector' in keras.saving.get_custom_objects())"
    )
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment | {"KERAS_HOME": str(tmp_path)},
        check=False,
    )
    assert done.stdout == "jax True\n", done.stderr
