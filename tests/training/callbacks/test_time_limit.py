"""`options.max_hours`: training by the clock."""

import pytest

from odapi.checkpoints import folder as folders
from odapi.training.parts import plan_of
from odapi.training.plan import TimeLimit
from small_models import small_config


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def timed(run):
    """Trains up to 9 steps of 900 seconds each."""
    clock = Clock()

    class Elapse:
        def scalars(self, step, values):
            clock.now += 900.0  # `LossLog` calls it once per step.

        def images(self, step, tag, images):
            pass

        def text(self, tag, text):
            pass

        def close(self):
            pass

    def train(hours):
        run.tracker = Elapse()
        limit = TimeLimit(hours, clock)
        return run(num_steps=9, log_every=1, scores=lambda s: 0.5, time_limit=limit)

    train.run, train.clock = run, clock
    return train


def test_a_run_ends_after_the_step_in_which_the_time_is_over(timed, capsys):
    outcome = timed(hours=0.75)  # 2700 s: reached with the third step.
    assert (outcome.step, outcome.reason) == (3, "time limit")
    assert outcome.metrics == {"mAP": 0.5}  # Evaluated,
    assert folders.step_of(folders.latest(timed.run.model_dir)) == 3  # and saved.
    shown = capsys.readouterr().err
    assert "Time limit of 0.75 h (options.max_hours) reached at step 3 of 9, 33%" in (
        " ".join(shown.split())
    )


def test_the_hours_of_a_resumed_run_begin_anew(timed):
    assert timed(hours=0.75).step == 3
    timed.run.detector = timed.run.pipeline = None
    outcome = timed(hours=0.75)
    assert (outcome.step, outcome.reason) == (6, "time limit")
    assert [part["steps"] for part in outcome.parts] == [3, 3]


def test_a_limit_after_the_last_step_changes_nothing(timed):
    assert timed(hours=2.25).reason == "done"  # Reached with step 9, the last.
    assert timed.clock.now == 8100.0


@pytest.mark.parametrize(("hours", "expected"), [("0", None), ("1.5", 1.5)])
def test_the_limit_is_that_of_the_config(hours, expected):
    limit = plan_of(small_config("ssd", f"options.max_hours={hours}")).time_limit
    assert (limit and limit.hours) == expected
