"""Writes `training.json` and `curves.png` at the end of a run."""

import contextlib
import pathlib
import re

from odapi.errors import CheckpointError, DivergedError
from odapi.report.curves import save_curves
from odapi.report.history import History
from odapi.report.training_summary import DIVERGED, read_summary, write_summary
from odapi.training.plan import Outcome, Plan


def write_report(model_dir: pathlib.Path, outcome: Outcome, plan: Plan) -> None:
    """Writes the summary of a run, and its curves if there are any to draw.

    Args:
        model_dir: Folder of the run.
        outcome: Result of the run.
        plan: Settings of the run.
    """
    history = History(model_dir, outcome.step)
    step, value, _ = history.best(plan.best_metric)
    best = {"step": step, "metric": plan.best_metric, "value": value}
    curves = save_curves(model_dir, history)
    measured = {
        "last_run_seconds": outcome.seconds,
        "images_per_second": outcome.images_per_second,
        "waiting_for_data": outcome.waiting,
        "losses": outcome.losses,
    }
    if not outcome.steps:  # The figures of the last call that trained are kept.
        earlier = read_summary(model_dir)
        known = {
            n: v for n, v in earlier.items() if isinstance(v, type(measured.get(n)))
        }
        measured = {name: known.get(name, now) for name, now in measured.items()}
    write_summary(
        model_dir,
        {
            "step": outcome.step,
            "reason": outcome.reason,
            "seconds": sum(part["seconds"] for part in outcome.parts),
            "parts": outcome.parts,
            **measured,
            "metrics": outcome.metrics,
            "best": best if step else None,
            "patience": plan.patience,
            "curves": curves.name if curves else None,
        },
    )


def write_divergence(model_dir: pathlib.Path, error: DivergedError) -> None:
    """Writes into the summary of a run that it diverged; its other figures are kept.

    A file that cannot be written is left out: it must not replace the error.
    """
    step = re.fullmatch(r"step (\d+)", error.place)
    summary = read_summary(model_dir)
    if step:
        summary["step"] = int(step[1])
    summary |= {"reason": DIVERGED, "problem": f"{error.place}: {error.problem}"}
    with contextlib.suppress(CheckpointError):
        write_summary(model_dir, summary)
