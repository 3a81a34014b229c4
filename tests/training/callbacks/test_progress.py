"""The progress display, on a terminal and in a log file."""

import io
import time

from rich.text import Text

from odapi.training.callbacks.progress import Display, StepStats


def stats(**changes):
    values = {
        "losses": {"Loss/a": 1.23456, "Loss/total_loss": 2.0},
        "learning_rate": 0.04,
        "images_per_second": 12.345,
        "waiting": 0.034,
        "seconds_left": 125.0,
    }
    return StepStats(**(values | changes))


def test_a_log_gets_lines_now_and_then(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    display = Display(400)
    shown = []
    for step in range(1, 401):
        now[0] += 0.1
        if display.is_due(step):
            display.show(step, stats())
            shown.append(step)
    assert shown == [1, 101, 201, 301, 400]
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == (
        "step 101 of 400  Loss/a 1.235  Loss/total_loss 2  learning_rate 0.04  "
        "12.3 images/s  data wait 3%  2 min 5 s left"
    )


def test_slow_steps_are_shown_after_half_a_minute(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    display = Display(10)
    shown = []
    for step in range(1, 11):
        now[0] += 11.0
        if display.is_due(step):
            display.show(step, stats())
            shown.append(step)
    assert shown == [1, 4, 7, 10]


def test_the_first_step_shows_no_speed():
    assert stats(images_per_second=0.0).speed == ""


def test_notes_on_a_terminal_stay_above_the_bar(monkeypatch):
    from rich.console import Console

    from odapi.training.callbacks import progress as module

    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80, soft_wrap=True)
    monkeypatch.setattr(module, "console", lambda: terminal)
    display = Display(10)
    assert display.is_due(1)
    display.show(1, stats(images_per_second=0.0))
    assert not display.is_due(2)
    assert display.is_due(10)
    display.show(10, stats())
    display.note("a note")
    display.pause()
    shown = Text.from_ansi(screen.getvalue()).plain
    assert "step 10 of 10" in shown and "12.3 images/s" in shown
    assert "Loss/total_loss 2  learning_rate 0.04" in shown
    assert "a note" in shown
    display.pause()  # There is no bar any more.
