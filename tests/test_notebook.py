"""Progress in a notebook: one text that is replaced, every step that is due."""

import sys
import types

import pytest

from odapi import notebook, progress
from odapi.training.callbacks.progress import Display, StepStats


@pytest.fixture
def cell(monkeypatch):
    """The texts that a cell shows, one after the other."""
    shown = []

    class Handle:
        def update(self, content, raw):
            shown.append(content["text/plain"])

    def display(content, raw, display_id):
        shown.append(content["text/plain"])
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    module = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


@pytest.mark.parametrize(
    ("shell", "expected"),
    [(None, False), (types.SimpleNamespace(), False),
     (types.SimpleNamespace(kernel=1), True)],
    ids=["python", "ipython", "kernel"],
)  # fmt: skip
def test_only_a_kernel_is_a_notebook(monkeypatch, shell, expected):
    module = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert notebook.in_notebook() is expected


def test_training_replaces_one_text_and_removes_it(cell, monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    display = Display(3)
    stats = StepStats({"loss": 0.5}, 0.1, 4.0, 0.25, 90.0)
    due = []
    for step in (1, 2, 3):
        due.append(display.is_due(step))
        if due[-1]:
            display.show(step, stats)
        now[0] += 0.1
    display.pause()
    assert due == [True, False, True]  # Too soon; the last step is always shown.
    assert cell == [
        "step 1 of 3  4.0 images/s  data wait 25%  1 min 30 s left\n"
        "loss 0.5  learning_rate 0.1",
        "step 3 of 3  4.0 images/s  data wait 25%  1 min 30 s left\n"
        "loss 0.5  learning_rate 0.1",
        "",
    ]
    assert capsys.readouterr() == ("", "")


def test_other_loops_replace_one_text_and_remove_it(cell, monkeypatch, capsys):
    monkeypatch.setattr(progress, "NOTEBOOK_SECONDS", 0.0)
    ticks = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(ticks)))
    assert list(progress.track([5, 6], "predicting")) == [5, 6]
    assert cell == ["predicting: 1 of 2, 1.0 s left", "predicting: 2 of 2, 0.0 s left",
                    ""]  # fmt: skip
    assert capsys.readouterr() == ("", "")
