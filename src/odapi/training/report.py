"""What a training says before its first step and after its last."""

import math
import pathlib
from typing import Any

import keras

from odapi.progress import console, duration
from odapi.training.curves import save_curves
from odapi.training.history import History, read_summary, write_summary
from odapi.training.plan import Outcome, Plan


def tell(*lines: str) -> None:
    """Prints lines for the user."""
    shown = console()
    for line in lines:
        shown.print(line, markup=False)


def tell_problems(what: str, pipeline: Any) -> None:
    """Prints the table of what was wrong with data, if anything was."""
    problems = getattr(pipeline, "problems", None)
    if problems:
        console().print(problems.table(f"problems in the {what}"))


def sum_up(outcome: Outcome, plan: Plan, model_dir: pathlib.Path) -> None:
    """Writes `training.json`, prints how it went and what to do next."""
    history = History(model_dir, outcome.step)
    step, value, _ = history.best(plan.best_metric)
    best = {"step": step, "metric": plan.best_metric, "value": value}
    before = read_summary(model_dir).get("seconds", 0.0) if outcome.resumed else 0.0
    write_summary(
        model_dir,
        {
            "step": outcome.step,
            "reason": outcome.reason,
            "seconds": before + outcome.seconds,
            "images_per_second": outcome.images_per_second,
            "waiting_for_data": outcome.waiting,
            "backend": keras.backend.backend(),
            "losses": outcome.losses,
            "metrics": outcome.metrics,
            "best": best if step else None,
        },
    )
    curves = save_curves(model_dir, history)
    tell(*_lines(outcome, plan, model_dir, best))
    if curves:
        tell(f"Curves: {curves}")


def _lines(
    outcome: Outcome, plan: Plan, model_dir: pathlib.Path, best: dict[str, Any]
) -> list[str]:
    speed = (
        f", {outcome.images_per_second:.1f} images/s, "
        f"{outcome.waiting:.0%} of the time waiting for data"
        if outcome.images_per_second
        else ""
    )
    how = {
        "done": "Done",
        "early stopping": f"No better in {plan.patience} evaluations: ended",
        "interrupted": "Interrupted; the same command goes on from here: ended",
    }[outcome.reason]
    lines = [f"{how} after step {outcome.step}, {duration(outcome.seconds)}{speed}"]
    if outcome.waiting > 0.3:
        lines.append(
            "Training often waits for data: processes instead of threads "
            "(options.data_loading.processes) or smaller image files help."
        )
    if math.isfinite(best["value"]):
        lines.append(
            f"Best {best['metric']}: {best['value']:.4f} at step {best['step']}"
        )
    lines.append(f"Next: odapi eval {model_dir}")
    lines.append(f"      odapi export {model_dir}")
    lines.append(f"      tensorboard --logdir {model_dir}")
    return lines
