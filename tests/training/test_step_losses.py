"""Losses of single steps, recovered from running means."""

from odapi.losses.names import TOTAL_LOSS
from odapi.training.step_losses import RunningMean, StepLosses


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


def test_running_mean_restarts_when_taken():
    mean = RunningMean()
    for value in (1.0, 3.0):
        mean.add({"a": value})
    assert mean.take() == {"a": 2.0}
    assert mean.take() == {}
