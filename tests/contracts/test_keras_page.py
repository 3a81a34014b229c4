"""The snippets of docs/keras.md, run one after the other on the active backend."""

import re

import keras
import numpy as np
import pytest

# On JAX, four programs are compiled.
pytestmark = [pytest.mark.backend, pytest.mark.slow, pytest.mark.timeout(900)]

_BLOCK = re.compile(r"^```python(?: backend=(\w+))?\n(.*?)^```", re.S | re.M)


def _snippets(text, backend):
    found = _BLOCK.findall(text)
    assert {name for name, _ in found} == {"", "tensorflow", "jax", "torch"}
    return [code for name, code in found if name in ("", backend)]


def test_the_page_runs(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    page = (root / "docs/keras.md").read_text(encoding="utf-8")
    for code in _snippets(page, keras.backend.backend()):
        exec(compile(code, "docs/keras.md", "exec"), names)
    assert names["model"].label_map.label(1) == "square"
    assert names["detections"]["boxes"].shape[::2] == (2, 4)
    assert np.isfinite(names["history"].history["loss"]).all()
    assert "Loss/classification_loss" in names["losses"]
    steps = [line.split() for line in capsys.readouterr().out.splitlines()]
    losses = [float(loss) for step, loss in steps if step in ("0", "1")]
    assert len(losses) == 2
    assert losses[1] < losses[0]
