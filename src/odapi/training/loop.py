"""The training loop: Keras' `fit` with a list of callbacks, one file each."""

import pathlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from odapi.build.optimizer import Optimization
from odapi.models.detector import Detector
from odapi.report.history import History
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.interrupts import Interrupts
from odapi.trackers.tracker import Tracker
from odapi.training import resume
from odapi.training.callbacks.checkpoint import Checkpoint
from odapi.training.callbacks.early_stopping import EarlyStopping
from odapi.training.callbacks.evaluate import Evaluate, EvaluateFunction
from odapi.training.callbacks.input_images import InputImages
from odapi.training.callbacks.loss_log import LossLog
from odapi.training.callbacks.nan_guard import NaNGuard
from odapi.training.callbacks.progress import Display, Progress
from odapi.training.callbacks.run_metadata import RunMetadata
from odapi.training.callbacks.step_counter import StepCounter
from odapi.training.callbacks.stop_signal import StopSignal
from odapi.training.callbacks.time_limit import EndInTime
from odapi.training.callbacks.user_callbacks import UserCallbacks
from odapi.training.callbacks.zero_map import ZeroMap
from odapi.training.divergence.recorder import StepRecorder
from odapi.training.dynamic_shapes import compile_by_size, of_any_size
from odapi.training.plan import Outcome, Plan
from odapi.training.prefetcher import Prefetcher
from odapi.training.recalibration import Recalibration
from odapi.training.resume import ResumePoint
from odapi.training.run_state import RunState, parts_of

# Steps of one epoch of `fit`, at whose end nothing happens but that Keras restarts the
# means of the losses (see `StepLosses`).
_FIT_EPOCH = 100


_SINGLE = Strategy()


def fit(  # noqa: PLR0913 (the parts of a training)
    detector: Detector,
    optimization: Optimization,
    pipeline: Any,
    plan: Plan,
    model_dir: pathlib.Path,
    write_metadata: Callable[[pathlib.Path], None],
    interrupts: Interrupts,
    *,
    evaluate: EvaluateFunction | None = None,
    tracker: Tracker | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    resume_from: ResumePoint | None = None,
    recalibration: Recalibration | None = None,
    strategy: Strategy = _SINGLE,
) -> Outcome:
    """Trains a detector until the plan is done.

    Args:
        detector: A built detector.
        optimization: The optimizer, not built yet, and its schedule.
        pipeline: Endless batches, with `get_state` and `set_state`.
        plan: Settings of the run.
        model_dir: Folder of checkpoints and history.
        write_metadata: Writes config and label map into a folder: that of the run,
            see `RunMetadata`, and that of each checkpoint.
        interrupts: Catches Ctrl-C and SIGTERM; shielded after the first step, also
            when this function has returned.
        evaluate: Evaluates a detector; None: there is no evaluation.
        tracker: Records losses and images; None: no tracker.
        callbacks: Callbacks of the user, see `UserCallbacks`.
        resume_from: The checkpoint to resume from; None starts at step 0.
        recalibration: Re-estimates batch statistics for evaluations and checkpoints.
        strategy: The devices and processes; the detector was built in its scope.

    Raises:
        DivergedError: A loss or weight diverged; earlier checkpoints are kept.
        CheckpointError: The checkpoint to resume from is damaged, or the last one
            cannot be written.
    """
    optimizer = optimization.optimizer
    with strategy.scope():
        facts = restore(detector, optimizer, pipeline, resume_from)
    state = _state(plan, optimization, pipeline, facts)
    prefetcher, display = Prefetcher(pipeline), Display(plan.num_steps)
    history = History(model_dir, state.step, writes=strategy.is_chief)
    display.note(*history.problems)
    if recalibration is not None:
        recalibration.pause = display.pause
    checkpoint = Checkpoint(
        state,
        model_dir,
        detector,
        optimizer,
        write_metadata,
        display.note,
        resumed_from=resume_from.checkpoint if resume_from else None,
        evaluates=evaluate is not None,
        recalibration=recalibration,
        writes=strategy.is_chief,
    )
    # They are called in this order after every step.
    hooks: list[keras.callbacks.Callback] = [
        StepCounter(state, prefetcher, strategy.num_processes),
        _nan_guard(state, checkpoint, optimizer, write_metadata, strategy),
        Progress(state, display),
        LossLog(state, history, tracker),
        *([InputImages(state, prefetcher, tracker)] if tracker else []),
        StopSignal(state, interrupts, display.note, strategy),
        EndInTime(state, display.note, strategy.is_alone),
        RunMetadata(write_metadata, model_dir, checkpoint),
        checkpoint,
    ]
    parts: Any = (evaluate, checkpoint, history, display, interrupts, strategy)
    both = Evaluate(state, *parts), EarlyStopping(state, history)
    catching_up = both if evaluate is not None else ()
    hooks += [*catching_up, ZeroMap(state, history, display.note)]
    hooks += [UserCallbacks(state, callbacks, strategy.is_alone)]
    try:
        for hook in catching_up:
            hook.set_model(detector)
            hook.catch_up()
        steps_left = 0 if state.is_ending else plan.num_steps - state.step
        with strategy.scope():
            run_steps(detector, optimizer, prefetcher, hooks, steps_left)
    finally:
        prefetcher.close()
        display.pause()
    history.flush()
    return state.finished()


def _nan_guard(
    state: RunState,
    checkpoint: Checkpoint,
    optimizer: keras.optimizers.Optimizer,
    write_metadata: Callable[[pathlib.Path], None],
    strategy: Strategy,
) -> NaNGuard:
    recorder = None
    # All processes must compile the same step, and one of them would write.
    if state.plan.save_diverged and strategy.is_alone:
        recorder = StepRecorder(
            state, checkpoint.model_dir, checkpoint.detector, optimizer, write_metadata
        )
    return NaNGuard(state, lambda: checkpoint.last_path, recorder)


def restore(
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    pipeline: Any,
    resume_from: ResumePoint | None,
) -> Mapping[str, Any]:
    """Builds the optimizer; returns the facts of the checkpoint to resume from."""
    optimizer.build(detector.trainable_variables)
    detector.optimizer = optimizer
    if resume_from is None:
        return {}
    return resume.restore(resume_from, detector, optimizer, pipeline)


def _state(
    plan: Plan, optimization: Optimization, pipeline: Any, facts: Mapping[str, Any]
) -> RunState:
    """Returns the state of a run at its start, or where it is resumed."""
    step = facts.get("step", 0)
    return RunState(
        plan,
        Outcome(step=step, resumed=step > 0),
        optimization.rate_at,
        data_position=pipeline.get_state(),
        parts_before=parts_of(facts),
        reference_loss=facts.get("reference_loss"),
    )


def run_steps(
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    prefetcher: Prefetcher,
    hooks: list[keras.callbacks.Callback],
    num_steps: int,
) -> None:
    """Runs the remaining steps; if there are none, saves and evaluates only."""
    if num_steps <= 0:
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
        with warnings.catch_warnings():
            # Of blocks of a backbone above the last level that the config uses.
            warnings.filterwarnings("ignore", "Gradients do not exist")
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
