"""The parts of the training loop, each alone."""

import io
import itertools
import json
import math
import time

import numpy as np
import pytest
from rich.text import Text

from odapi.data.image.decode import decode_image
from odapi.losses.names import TOTAL_LOSS
from odapi.training import report
from odapi.training.curves import save_curves
from odapi.training.display import Display, Reading
from odapi.training.feed import Feed
from odapi.training.guard import Guard
from odapi.training.history import History, read_summary, write_summary
from odapi.training.meter import Clock, Mean, StepLosses
from odapi.training.pictures import input_pictures
from odapi.training.plan import Outcome, Plan
from tiny_detector import LABEL_MAP, TinyPipeline, make_batch


def test_feed_knows_the_batch_of_every_step_however_far_ahead_fit_reads():
    feed = Feed(TinyPipeline())
    taken = list(itertools.islice(feed.batches(), 4))
    assert taken[0][0].keys() == {"images", "true_size"}
    assert taken[0][1].keys() == {"boxes", "classes", "valid", "weights"}
    for number in range(4):
        fed = feed.next_done()
        assert fed.image_ids[0] == f"image-{number}-0"
        assert fed.state == {"next": number + 1}


def test_feed_leaves_the_true_size_out_where_no_picture_has_padding():
    pipeline = TinyPipeline()
    pipeline.pads = False
    x, _ = next(Feed(pipeline).batches())
    assert x.keys() == {"images"}


@pytest.mark.parametrize(
    ("losses", "lost"),
    [
        ({"Loss/a": 1.0, TOTAL_LOSS: 3.0}, {}),
        ({"Loss/a": math.nan, "Loss/b": 1.0, TOTAL_LOSS: math.nan}, {"Loss/a"}),
        (
            {"Loss/a": math.inf, "Loss/b": -math.inf, TOTAL_LOSS: 0.0},
            {"Loss/a", "Loss/b"},
        ),
        ({"Loss/a": 1.0, TOTAL_LOSS: math.nan}, {"Loss/a"}),  # The largest part.
        ({TOTAL_LOSS: math.inf}, {TOTAL_LOSS}),
        ({"Loss/a": 1999.0, TOTAL_LOSS: 1999.0}, {}),
        ({"Loss/a": 2001.0, "Loss/b": 5.0, TOTAL_LOSS: 2006.0}, {"Loss/a"}),
    ],
)
def test_guard_names_the_parts_that_are_lost(losses, lost):
    guard = Guard()
    guard.passed({"Loss/a": 1.0, TOTAL_LOSS: 2.0}, ["first"])
    assert set(guard.lost(losses)) == set(lost)


def test_guard_allows_a_large_loss_at_the_start():
    guard = Guard()
    assert not guard.lost({"Loss/a": 1e5, TOTAL_LOSS: 1e5})
    guard.passed({"Loss/a": 1e5, TOTAL_LOSS: 1e5}, [])
    assert not guard.lost({"Loss/a": 9e7, TOTAL_LOSS: 9e7})
    assert guard.lost({"Loss/a": 2e8, TOTAL_LOSS: 2e8})


def test_step_losses_undo_the_running_means():
    losses = StepLosses()
    steps = []
    for mean in (2.0, 3.0, 2.0):  # Of 2, 4, 0.
        steps.append(
            losses.of_step({"Loss/a": mean, "loss": mean + 1, TOTAL_LOSS: 9.0})
        )
    assert steps == [{"Loss/a": a, TOTAL_LOSS: a + 1} for a in (2.0, 4.0, 0.0)]
    losses.restart()
    assert losses.of_step({"Loss/a": 7.0, "loss": 7.0})["Loss/a"] == 7.0


def test_mean_starts_anew_when_taken():
    mean = Mean()
    for value in (1.0, 3.0):
        mean.add({"a": value})
    assert mean.take() == {"a": 2.0}
    assert mean.take() == {}


def test_clock_counts_the_wait_for_data_but_not_the_first_step(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock()
    clock.go_on()
    now[0] = 30.0  # Compiling.
    clock.step_done(ready=0.1, images=8)
    clock.go_on()
    assert (clock.images_per_second, clock.seconds_per_step, clock.waiting) == (0, 0, 0)
    now[0] = 34.0  # The batch came after one second.
    clock.step_done(ready=31.0, images=8)
    now[0] = 100.0  # An evaluation.
    clock.go_on()
    now[0] = 104.0  # The batch was there long before.
    clock.step_done(ready=35.0, images=8)
    assert clock.seconds == 8.0
    assert clock.total_seconds == 38.0
    assert clock.images_per_second == 2.0
    assert clock.seconds_per_step == 4.0
    assert clock.waiting == 1 / 8


def reading(**changes):
    values = {
        "losses": {"Loss/a": 1.23456, "Loss/total_loss": 2.0},
        "learning_rate": 0.04,
        "images_per_second": 12.345,
        "waiting": 0.034,
        "seconds_left": 125.0,
    }
    return Reading(**(values | changes))


def test_a_log_gets_lines_now_and_then(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    display = Display(400)
    shown = []
    for step in range(1, 401):
        now[0] += 0.1
        if display.due(step):
            display.show(step, reading())
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
        if display.due(step):
            display.show(step, reading())
            shown.append(step)
    assert shown == [1, 4, 7, 10]


def test_the_first_step_says_nothing_about_speed():
    assert reading(images_per_second=0.0).speed == ""


def test_a_terminal_gets_a_bar_and_what_is_noted_stays_above(monkeypatch):
    from rich.console import Console

    from odapi.training import display as module

    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80, soft_wrap=True)
    monkeypatch.setattr(module, "console", lambda: terminal)
    display = Display(10)
    assert display.due(1)
    display.show(1, reading(images_per_second=0.0))
    assert not display.due(2)
    assert display.due(10)
    display.show(10, reading())
    display.note("a note")
    display.pause()
    shown = Text.from_ansi(screen.getvalue()).plain
    assert "step 10 of 10" in shown and "12.3 images/s" in shown
    assert "Loss/total_loss 2  learning_rate 0.04" in shown
    assert "a note" in shown
    display.pause()  # Nothing is there to be taken away.


def test_history_finds_the_best_and_counts_since_then(tmp_path):
    history = History(tmp_path, 0)
    assert history.best("mAP") == (0, -math.inf, 0)
    for step, value in enumerate([0.1, 0.3, 0.31, 0.2, math.nan], 1):
        history.add(step, {"mAP": value})
    assert history.best("mAP") == (3, 0.31, 2)
    assert history.best("mAP", min_delta=0.05) == (2, 0.3, 3)
    assert history.best("other") == (0, -math.inf, 5)
    again = History(tmp_path, upto=4)
    assert [e["step"] for e in again.evaluations] == [1, 2, 3, 4]
    assert again.at(2) == {"mAP": 0.3} and again.at(5) is None
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"step": 2, "metrics": {"mAP": 0.3}}


def test_history_skips_lines_that_are_broken(tmp_path):
    good = '{"step": 7, "metrics": {"mAP": null}}'
    (tmp_path / "metrics.jsonl").write_text(f'{{"step"\n[]\n{good}\n{{"step": 1}}\n')
    history = History(tmp_path, 9)
    assert [e["step"] for e in history.evaluations] == [7]
    assert math.isnan(history.at(7)["mAP"])


def test_history_keeps_losses_up_to_the_step_that_a_run_goes_on_from(tmp_path):
    history = History(tmp_path, 0)
    for step in (1, 2, 4):
        history.add_losses(step, {TOTAL_LOSS: 1.0 / step}, rate=0.1 * step)
    again = History(tmp_path, upto=2)
    again.add_losses(3, {TOTAL_LOSS: math.nan}, rate=0.5)
    lines = (tmp_path / "losses.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "losses": {TOTAL_LOSS: 1.0, "learning_rate": 0.1}},
        {"step": 2, "losses": {TOTAL_LOSS: 0.5, "learning_rate": 0.2}},
        {"step": 3, "losses": {TOTAL_LOSS: None, "learning_rate": 0.5}},
    ]
    assert math.isnan(History(tmp_path, 9).losses[-1]["losses"][TOTAL_LOSS])


def test_losses_that_cannot_be_written_do_not_end_a_training(tmp_path):
    history = History(tmp_path / "gone", 0)
    history.add_losses(1, {TOTAL_LOSS: 1.0}, rate=0.1)
    assert history.losses[0]["step"] == 1


@pytest.mark.parametrize(
    ("losses", "metrics", "height"),
    [
        ([], [], None),
        ([(1, 2.0)], [], 660),
        ([(1, 2.0), (2, math.nan), (3, 1e9)], [], 660),
        ([(1, math.inf)], [], 660),
        ([], [(5, {"mine": 0.5})], None),
        ([], [(n, {"DetectionBoxes_Precision/mAP": -1.0}) for n in (5, 6)], 360),
        ([(1, 2.0), (2, 1.0)], [(1, {"mine": 0.4}), (2, {"mine": 0.5})], 1020),
    ],
)
def test_curves_of_any_run_can_be_drawn(tmp_path, losses, metrics, height):
    history = History(tmp_path, 0)
    for step, loss in losses:
        history.add_losses(step, {TOTAL_LOSS: loss, "Loss/a": loss}, rate=0.1)
    for step, values in metrics:
        history.add(step, values)
    file = save_curves(tmp_path, history)
    if height is None:
        assert file is None
    else:
        assert decode_image(file.read_bytes(), "").shape == (height, 900, 3)


def test_the_summary_is_json_that_anybody_reads(tmp_path):
    write_summary(tmp_path, {"a": math.inf, "b": {"c": 1.5}})
    assert json.loads((tmp_path / "training.json").read_text()) == read_summary(
        tmp_path
    )
    assert read_summary(tmp_path) == {"a": None, "b": {"c": 1.5}}
    assert read_summary(tmp_path / "gone") == {}


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (
            Outcome(8, "done", seconds=125.0, images_per_second=20.0, waiting=0.5),
            [
                "Done after step 8, 2 min 5 s, 20.0 images/s, 50% of",
                "instead of threads",
            ],
        ),
        (Outcome(8, "early stopping"), ["No better in 3 evaluations: ended after"]),
        (Outcome(8, "interrupted"), ["Interrupted; the same command goes on"]),
    ],
)
def test_the_end_says_how_it_went_and_what_is_next(tmp_path, capsys, outcome, said):
    History(tmp_path, 0).add(4, {"DetectionBoxes_Precision/mAP": 0.25})
    report.sum_up(outcome, Plan(10, patience=3), tmp_path)
    text = capsys.readouterr().err
    said = [*said, "Best DetectionBoxes_Precision/mAP: 0.2500 at step 4"]
    for words in [*said, f"odapi eval {tmp_path}", f"odapi export {tmp_path}"]:
        assert words in text
    assert read_summary(tmp_path)["best"]["value"] == 0.25


def test_seconds_of_a_resumed_run_add_up(tmp_path):
    report.sum_up(Outcome(4, seconds=10.0), Plan(4), tmp_path)
    report.sum_up(Outcome(8, seconds=5.0, resumed=True), Plan(8), tmp_path)
    assert read_summary(tmp_path)["seconds"] == 15.0


def test_input_pictures_show_the_first_images_with_their_objects():
    pictures = input_pictures(make_batch(0), LABEL_MAP)
    assert [p.shape for p in pictures] == [(16, 16, 3)] * 3
    assert (pictures[0] != np.asarray(make_batch(0).images[0])).any()
