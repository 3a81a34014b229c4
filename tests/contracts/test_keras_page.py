"""The snippets of docs/keras.md, run one after the other on the active backend."""

import re

import keras
import numpy as np
import pytest

pytestmark = [pytest.mark.backend, pytest.mark.slow, pytest.mark.timeout(900)]

# Of what fit, evaluate and predict compile on JAX, the contracts test fit and predict.
_ON_JAX = keras.backend.backend() == "jax"

_BLOCK = re.compile(r"^```python(?: backend=(\w+))?\n(.*?)^```", re.S | re.M)


def _snippets(text, backend):
    found = _BLOCK.findall(text)
    assert {name for name, _ in found} == {"", "tensorflow", "jax", "torch"}
    codes = [code for name, code in found if name in ("", backend)]
    return [c for c in codes if "model.fit(" not in c] if _ON_JAX else codes


def test_the_page_runs(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"keras": keras} if _ON_JAX else {}
    page = (root / "docs/keras.md").read_text(encoding="utf-8")
    for code in _snippets(page, keras.backend.backend()):
        exec(compile(code, "docs/keras.md", "exec"), names)
    assert names["model"].label_map.label(1) == "square"
    if not _ON_JAX:
        assert names["detections"]["boxes"].shape[::2] == (2, 4)
        assert np.isfinite(names["history"].history["loss"]).all()
        assert "Loss/classification_loss" in names["losses"]
    steps = [line.split() for line in capsys.readouterr().out.splitlines()]
    losses = [float(loss) for step, loss in steps if step in ("0", "1")]
    assert len(losses) == 2
    assert losses[1] < losses[0]
