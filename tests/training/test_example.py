"""The example of docs/training.md, "Training from Python", run for four steps."""

import importlib.util

import pytest

import odapi


@pytest.mark.slow
def test_the_example_runs(root, tmp_path, capsys):
    file = root / "examples" / "custom_training.py"
    spec = importlib.util.spec_from_file_location("example_training", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    outcome = module.main(tmp_path)
    assert (outcome.step, outcome.reason) == (4, "done")
    said = capsys.readouterr().out
    assert "epoch 0: loss" in said and "epoch 1: loss" in said
    assert "largest loss: " in said
    loaded = odapi.load_detector(tmp_path)
    assert [category.name for category in loaded.label_map] == ["dark", "bright"]
