"""Measures that keep the code readable: sizes, names, docstrings, start-up."""

import ast
import collections
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = sorted(
    p for p in (ROOT / "src").rglob("*.py") if not p.name.endswith("_pb2.py")
)
MAX_FILE, MAX_FUNCTION = 400, 50
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core"}


def _functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_no_file_is_longer_than_one_can_hold_in_the_head():
    lengths = {p.name: len(p.read_text().splitlines()) for p in FILES}
    assert {n: k for n, k in lengths.items() if k > MAX_FILE} == {}


def test_no_function_is_longer_than_a_screen():
    long = [
        f"{path.name}:{node.name} has {_code_length(node)} lines"
        for path in FILES
        for node in _functions(ast.parse(path.read_text()))
        if _code_length(node) > MAX_FUNCTION
    ]
    assert long == []


def _code_length(node):
    """Lines of the body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


def test_no_file_is_named_for_nothing_in_particular():
    names = {part for p in FILES for part in p.relative_to(ROOT).with_suffix("").parts}
    assert names & VAGUE == set()


def test_public_functions_are_typed():
    untyped = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for folder in ("config", "training", "evaluation", "exporters", "checkpoints")
        for path in sorted((ROOT / "src/odapi" / folder).glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and node.returns is None
    ]
    assert untyped == []


@pytest.mark.parametrize("module", ["odapi", "odapi.cli.main"])
def test_import_is_light(module):
    heavy = ["keras", "tensorflow", "jax", "torch", "cv2", "grain", "google.protobuf"]
    if module == "odapi":
        heavy += ["numpy", "typer"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def _run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k not in _LOG_LEVELS} | environment,
    )


_LOG_LEVELS = ("TF_CPP_MIN_LOG_LEVEL", "GLOG_minloglevel")


@pytest.mark.parametrize(
    "code",
    [
        "odapi.build_detector",
        "odapi.load_detector",
        "try: odapi.train('gone.config', 'run')\nexcept odapi.ConfigError: pass\n",
    ],
)
def test_the_backend_starts_without_noise(code):
    done = _run(f"import odapi\n{code}\nimport keras; keras.ops.ones(1)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_printed_while_the_backend_starts_is_shown_if_it_fails():
    code = (
        "import sys, builtins, odapi\n"
        "class Broken:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'keras':\n"
        "            print('a clue', file=sys.stderr)\n"
        "            raise ImportError('broken')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "odapi.build_detector"
    )
    done = _run(code)
    assert done.returncode == 1
    assert "a clue" in done.stderr and "ImportError: broken" in done.stderr


def test_a_backend_that_is_missing_is_named_with_the_line_that_installs_it():
    code = (
        "import sys, odapi, odapi.errors\n"
        "sys.modules['torch'] = None\n"
        "try:\n"
        "    odapi.build_detector\n"
        "except odapi.errors.MissingPackageError as error:\n"
        "    print(error)"
    )
    done = _run(code, KERAS_BACKEND="torch")
    assert 'pip install "odapi[torch]"' in done.stdout, done.stderr


def test_output_goes_through_the_console():
    """`odapi.console` prints names as they are; these would read them as markup."""
    others = ("typer.echo", "rich.print", "rich.console.Console", "Text.from_markup")
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in FILES
        if path.name not in ("console.py", "start.py")  # The latter imports nothing.
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and (name := ast.unparse(node.func)) in (*others, "Console", "print")
    ]
    assert found == []


def test_names_of_test_files_are_unique():
    """Pytest imports them by their names alone, and refuses the second of two."""
    names = collections.Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    twice = {name for name, count in names.items() if count > 1}
    assert twice <= {"conftest.py", "__init__.py"}
