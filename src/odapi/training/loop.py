"""The training loop: Keras' `fit` with a list of callbacks, one file each."""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from odapi.build.optimizer import Optimization
from odapi.checkpoints.run_folder import write_run_metadata
from odapi.models.detector import Detector
from odapi.report.history import History
from odapi.trackers.tracker import Tracker
from odapi.training import resume
from odapi.training.callbacks.checkpoint import Checkpoint
from odapi.training.callbacks.early_stopping import EarlyStopping
from odapi.training.callbacks.evaluate import Evaluate, EvaluateFunction
from odapi.training.callbacks.input_images import InputImages
from odapi.training.callbacks.loss_log import LossLog
from odapi.training.callbacks.nan_guard import NaNGuard
from odapi.training.callbacks.progress import Display, Progress
from odapi.training.callbacks.step_counter import StepCounter
from odapi.training.callbacks.stop_signal import StopSignal
from odapi.training.callbacks.user_callbacks import UserCallbacks
from odapi.training.dynamic_shapes import compile_by_size, of_any_size
from odapi.training.messages import print_kept
from odapi.training.plan import Outcome, Plan
from odapi.training.prefetcher import Prefetcher
from odapi.training.resume import ResumePoint
from odapi.training.run_state import RunState

# Steps of one epoch of `fit`, at whose end nothing happens but that Keras restarts the
# means of the losses (see `StepLosses`).
_FIT_EPOCH = 100


def fit(
    detector: Detector,
    optimization: Optimization,
    pipeline: Any,
    plan: Plan,
    model_dir: pathlib.Path,
    write_metadata: Callable[[pathlib.Path], None],
    *,
    evaluate: EvaluateFunction | None = None,
    tracker: Tracker | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume_from: ResumePoint | None = None,
) -> Outcome:
    """Trains a detector until the plan is done.

    Args:
        detector: A built detector.
        optimization: The optimizer, not built yet, and its schedule.
        pipeline: Endless batches, with `get_state` and `set_state`.
        plan: Settings of the run.
        model_dir: Folder of checkpoints and history.
        write_metadata: Writes config and label map into a folder: that of the run,
            after it was resumed, and that of each checkpoint.
        evaluate: Evaluates a detector; None: there is no evaluation.
        tracker: Records losses and images; None: no tracker.
        callbacks: Callbacks of the user, see `UserCallbacks`.
        resume_from: The checkpoint to resume from; None starts at step 0.

    Raises:
        DivergedError: A loss or weight diverged; earlier checkpoints are kept.
        CheckpointError: The checkpoint to resume from is damaged, or the last one
            cannot be written.
    """
    optimizer = optimization.optimizer
    optimizer.build(detector.trainable_variables)
    facts: dict[str, Any] = {}
    if resume_from is not None:
        facts = resume.restore(resume_from, detector, optimizer, pipeline)
    print_kept(write_run_metadata(model_dir, write_metadata))
    step = facts.get("step", 0)
    state = _run_state(plan, optimization, pipeline, facts)
    prefetcher, display = Prefetcher(pipeline), Display(plan.num_steps)
    history, stop_signal = History(model_dir, step), StopSignal(state, display.note)
    display.note(*history.problems)
    checkpoint = Checkpoint(
        state,
        model_dir,
        detector,
        optimizer,
        write_metadata,
        display.note,
        resumed_from=resume_from.checkpoint if resume_from else None,
        evaluates=evaluate is not None,
    )
    # They are called in this order after every step.
    hooks: list[keras.callbacks.Callback] = [
        StepCounter(state, prefetcher),
        NaNGuard(state, lambda: checkpoint.last_path),
        Progress(state, display),
        LossLog(state, history, tracker),
        *([InputImages(state, prefetcher, tracker)] if tracker else []),
        stop_signal,
        checkpoint,
    ]
    if evaluate is not None:
        hooks += [
            Evaluate(state, evaluate, checkpoint, history, display, stop_signal),
            EarlyStopping(state, history),
        ]
    hooks.append(UserCallbacks(state, callbacks))
    with stop_signal:
        try:
            _run_steps(detector, optimizer, prefetcher, hooks, plan.num_steps - step)
        finally:
            prefetcher.close()
            display.pause()
    return state.finished()


def _run_state(
    plan: Plan, optimization: Optimization, pipeline: Any, facts: Mapping[str, Any]
) -> RunState:
    step = facts.get("step", 0)
    return RunState(
        plan,
        Outcome(step=step, resumed=step > 0),
        optimization.rate_at,
        data_position=pipeline.get_state(),
        seconds_before=facts.get("seconds", 0.0),
        reference_loss=facts.get("reference_loss"),
    )


def _run_steps(
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    prefetcher: Prefetcher,
    hooks: list[keras.callbacks.Callback],
    num_steps: int,
) -> None:
    """Runs the remaining steps; if there are none, saves and evaluates only."""
    if num_steps <= 0:
        detector.optimizer = optimizer
        finished = keras.callbacks.CallbackList(hooks, model=detector)
        finished.on_train_begin()
        finished.on_train_end()
        return
    detector.compile(optimizer=optimizer)
    batches: Any = prefetcher.batches()
    if detector.image_size is None:
        batches = of_any_size(batches)
        compile_by_size(detector)
    try:
        detector.fit(
            batches,
            steps_per_epoch=min(_FIT_EPOCH, num_steps),
            epochs=-(-num_steps // _FIT_EPOCH),
            callbacks=hooks,
            shuffle=False,
            verbose=0,
        )
    except Exception:
        prefetcher.raise_own_error()
        raise
