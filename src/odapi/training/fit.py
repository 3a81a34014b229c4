"""Trains a detector with Keras' `fit`: the loop, without configs and files to find."""

import pathlib
from collections.abc import Callable
from typing import Any

import keras

from odapi.checkpoints import averages, training_state
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_weights
from odapi.training.callbacks import Evaluate, Parts, Supervisor
from odapi.training.display import Display
from odapi.training.dynamic_shapes import compile_by_size, of_any_size
from odapi.training.feed import Feed
from odapi.training.guard import Guard
from odapi.training.history import History
from odapi.training.plan import Outcome, Plan
from odapi.training.saver import Saver
from odapi.training.signals import StopRequest

# Steps of one epoch of `fit`: only its means of the losses end there.
_EPOCH = 100


def fit(
    detector: Any,
    optimizer: keras.optimizers.Optimizer,
    pipeline: Any,
    plan: Plan,
    model_dir: pathlib.Path,
    describe: Callable[[pathlib.Path], None],
    rate_at: Callable[[int], float],
    evaluate: Evaluate | None = None,
    tracker: Any = None,
    same_data: bool = True,
) -> Outcome:
    """Trains until the plan is done, from the last checkpoint if there is one.

    Args:
        detector: Built, see `odapi.models.detector`.
        optimizer: Not built yet.
        pipeline: Endless batches, with `get_state` and `set_state`.
        plan: What is to be done.
        model_dir: Where checkpoints and the history are kept.
        describe: Puts what belongs to a checkpoint besides weights into a folder.
        rate_at: Learning rate of a step that counts from 0, to be shown.
        evaluate: Evaluates the detector as it is; None: there is nothing to
            evaluate on.
        tracker: Takes `scalars(step, values)`.
        same_data: Whether the position in the data, of the checkpoint to go on
            from, means the same in this pipeline; else the data start anew.

    Raises:
        DivergedError: A loss or weight is lost; the checkpoints before are kept.
        CheckpointError: The last checkpoint is damaged, or the end cannot be saved.
    """
    optimizer.build(detector.trainable_variables)
    facts = _resume(model_dir, detector, optimizer, pipeline if same_data else None)
    start = facts.get("step", 0)
    display = Display(plan.num_steps)
    with StopRequest(display.note) as stop:
        parts = Parts(
            feed=Feed(pipeline),
            saver=Saver(model_dir, detector, optimizer, describe, plan.keep),
            history=History(model_dir, start),
            display=display,
            stop=stop,
            guard=Guard(facts.get("reference_loss")),
            rate_at=rate_at,
            evaluate=evaluate,
            tracker=tracker,
        )
        supervisor = Supervisor(plan, parts, start, facts.get("seconds", 0.0))
        try:
            _run(detector, optimizer, supervisor)
            _end(supervisor)
        finally:
            parts.feed.close()
            display.pause()
    outcome, clock = supervisor.outcome, supervisor.clock
    outcome.seconds = clock.total_seconds
    outcome.images_per_second, outcome.waiting = clock.images_per_second, clock.waiting
    return outcome


def _run(
    detector: Any, optimizer: keras.optimizers.Optimizer, supervisor: Supervisor
) -> None:
    """Runs `fit` for the steps that are left."""
    left = supervisor.plan.num_steps - supervisor.step
    if left <= 0:
        detector.optimizer = optimizer
        supervisor.set_model(detector)
        return
    detector.compile(optimizer=optimizer)
    feed = supervisor.parts.feed
    batches: Any = feed.batches()
    if detector.image_size is None:
        batches = of_any_size(batches)
        compile_by_size(detector)
    try:
        detector.fit(
            batches,
            steps_per_epoch=min(_EPOCH, left),
            epochs=-(-left // _EPOCH),
            callbacks=[supervisor],
            shuffle=False,
            verbose=0,
        )
    except Exception:
        feed.raise_own_error()
        raise
    if supervisor.step < supervisor.plan.num_steps and not detector.stop_training:
        feed.raise_own_error()


def _end(supervisor: Supervisor) -> None:
    """Saves, and evaluates the last step unless the user wants to leave."""
    supervisor.save(must=True)
    if supervisor.outcome.reason == "interrupted":
        return
    known = supervisor.parts.history.at(supervisor.step)
    if known is None:
        supervisor.evaluate()
    else:
        supervisor.outcome.metrics = known


def _resume(
    model_dir: pathlib.Path,
    detector: Any,
    optimizer: keras.optimizers.Optimizer,
    pipeline: Any,
) -> dict[str, Any]:
    """Restores the last checkpoint; returns its facts, or {} if there is none."""
    folders.tidy(model_dir)
    folder = folders.latest(model_dir)
    if folder is None:
        return {}
    load_weights(detector, folder / folders.WEIGHTS)
    facts = training_state.load(folder, detector, optimizer)
    averages.load(folder, detector, optimizer)
    # A run that was imported from the original has no position in our data.
    if pipeline is not None and facts.get("data") is not None:
        pipeline.set_state(facts["data"])
    return facts
