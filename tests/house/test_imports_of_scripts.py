"""Benchmarks and examples import names of odapi that exist, also within functions."""

import ast
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = sorted(
    path.relative_to(ROOT)
    for folder in ("benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)


def exists(module, name):
    if hasattr(importlib.import_module(module), name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("path", SCRIPTS, ids=str)
def test_imported_names_exist(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    imports = [
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("odapi")
        for alias in node.names
    ]
    assert [row for row in imports if not exists(*row)] == []
