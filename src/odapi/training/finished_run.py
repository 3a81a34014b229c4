"""Finds out whether a run has anything left to do."""

import pathlib

from odapi.checkpoints import folder as folders
from odapi.checkpoints.training_state import load_facts
from odapi.report.history import History
from odapi.report.training_summary import read_summary
from odapi.training.callbacks.early_stopping import stops_early
from odapi.training.messages import print_lines
from odapi.training.plan import Outcome, Plan
from odapi.training.run_state import EARLY_STOPPING, parts_of


def finished(
    model_dir: pathlib.Path, checkpoint: pathlib.Path, plan: Plan, evaluates: bool
) -> Outcome | None:
    """Returns the outcome of a run that has nothing to do, and says so; else None.

    If a kill prevented that its last checkpoint was marked as the best, that is done.

    Args:
        model_dir: Folder of the run.
        checkpoint: Its last checkpoint.
        plan: Settings of the run that is asked for.
        evaluates: Whether the last step is to be evaluated.

    Raises:
        CheckpointError: The checkpoint cannot be read, or the disk cannot be written.
    """
    facts = load_facts(checkpoint)
    step = facts["step"]
    history = History(model_dir, step)
    _repair_best(model_dir, checkpoint, history, plan)
    metrics = history.at(step)
    is_stopped = evaluates and stops_early(history, plan)
    if not (is_stopped or step >= plan.num_steps) or (evaluates and metrics is None):
        return None
    print_lines(*_lines(step, plan))
    losses = read_summary(model_dir).get("losses")
    return Outcome(
        step=step,
        reason="done" if step >= plan.num_steps else EARLY_STOPPING,
        metrics=metrics or {},
        losses=losses if isinstance(losses, dict) else {},
        resumed=True,
        parts=parts_of(facts),
    )


def _repair_best(
    model_dir: pathlib.Path, checkpoint: pathlib.Path, history: History, plan: Plan
) -> None:
    """Marks the last checkpoint as the best one if a kill prevented that."""
    last = folders.step_of(checkpoint)
    if last is None:
        return
    step, value, _ = history.best(plan.best_metric, plan.min_delta)
    marked = folders.read_pointer(model_dir, "best")
    if step == last and marked.get("step") != last:
        folders.set_pointer(
            model_dir, "best", checkpoint, metric=plan.best_metric, value=value
        )


def _lines(step: int, plan: Plan) -> list[str]:
    if step < plan.num_steps:
        reason = (
            f"early stopping ended this run at step {step} "
            f"(options.early_stopping.patience: {plan.patience})"
        )
    elif step == plan.num_steps:
        reason = f"all {step} steps of this run are done"
    else:
        reason = (
            f"{step} steps are done, {plan.num_steps} were asked for "
            "(train_config.num_steps)"
        )
    longer = f"--num-steps N with N above {step}"
    if step < plan.num_steps:
        longer = "a larger options.early_stopping.patience"
    return [
        f"Nothing to do: {reason}; no file was changed",
        f"  to train longer: {longer}",
    ]
