"""Writes `training.json` and `curves.png` at the end of a run."""

import pathlib

import keras

from odapi.report.curves import save_curves
from odapi.report.history import History
from odapi.report.training_summary import seconds_before, write_summary
from odapi.training.plan import Outcome, Plan


def write_report(model_dir: pathlib.Path, outcome: Outcome, plan: Plan) -> None:
    """Writes the summary of a run, and its curves if there are any to draw.

    Args:
        model_dir: Folder of the run.
        outcome: Result of the run; the seconds of earlier runs are added.
        plan: Settings of the run.
    """
    history = History(model_dir, outcome.step)
    step, value, _ = history.best(plan.best_metric)
    best = {"step": step, "metric": plan.best_metric, "value": value}
    earlier = seconds_before(model_dir) if outcome.resumed else 0.0
    curves = save_curves(model_dir, history)
    write_summary(
        model_dir,
        {
            "step": outcome.step,
            "reason": outcome.reason,
            "seconds": earlier + outcome.seconds,
            "last_run_seconds": outcome.seconds,
            "images_per_second": outcome.images_per_second,
            "waiting_for_data": outcome.waiting,
            "backend": keras.backend.backend(),
            "losses": outcome.losses,
            "metrics": outcome.metrics,
            "best": best if step else None,
            "patience": plan.patience,
            "curves": curves.name if curves else None,
        },
    )
