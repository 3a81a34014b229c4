"""`odapi.train`: from a pipeline config to a trained detector."""

import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from odapi.build.dataset import build_train_dataset
from odapi.build.detector import build_detector
from odapi.build.optimizer import build_optimizer
from odapi.checkpoints import folder as folders
from odapi.checkpoints import training_state
from odapi.checkpoints.metadata import metadata_writer
from odapi.config.check import check, tell
from odapi.config.load import Config, load_config, options
from odapi.errors import CheckpointError
from odapi.runtime.determinism import seed_everything
from odapi.trackers.fail_safe import FailSafeTracker
from odapi.trackers.tensorboard import TensorBoard
from odapi.training import report, resume
from odapi.training.evaluator import build_evaluator
from odapi.training.fit import fit
from odapi.training.freeze import freeze
from odapi.training.initialize import start_from
from odapi.training.plan import Outcome, Plan


def train(
    config: str | os.PathLike[str] | Config,
    model_dir: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    *,
    train_data: str | None = None,
    eval_data: str | None = None,
    num_steps: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> Outcome:
    """Trains a detector, or goes on with a training.

        odapi.train("pipeline.config", "runs/first", ["train_config.batch_size=8"])

    What is named apart from `overrides` is short for a config path. If `model_dir`
    has a checkpoint, training goes on from the last one exactly. Ctrl-C and SIGTERM
    save and return; a second Ctrl-C raises KeyboardInterrupt.

    Args:
        config: A `pipeline.config`, its folder, its text, or what `load_config`
            returned.
        model_dir: Gets checkpoints, the config, the label map, event files for
            TensorBoard, `metrics.jsonl` and `training.json`.
        overrides: Of the config, such as "train_config.batch_size=8".
        train_data, eval_data: `options.train_data`, `options.eval_data`.
        num_steps, batch_size: `train_config.num_steps`, `train_config.batch_size`.
        seed: `options.seed`.

    Raises:
        ConfigError: The config cannot be trained, or differs too much from that of
            the run that is there.
        DataError: A data set cannot be used.
        CheckpointError: A checkpoint cannot be read, or the last not be written.
        DivergedError: A loss became NaN or exploded.
    """
    short = {
        "options.train_data": train_data,
        "options.eval_data": eval_data,
        "train_config.num_steps": num_steps,
        "train_config.batch_size": batch_size,
        "options.seed": seed,
    }
    given = [f"{path}={value}" for path, value in short.items() if value is not None]
    loaded = load_config(config, [*overrides, *given])
    tell(check(loaded))
    return _train(loaded, pathlib.Path(model_dir))


def _train(config: Config, model_dir: pathlib.Path) -> Outcome:
    """Builds everything in the order in which mistakes are cheapest, and trains."""
    seed_everything(options(config).seed, options(config).deterministic)
    resumed, same_data = _resumed(config, model_dir)
    pipeline = build_train_dataset(config)
    trackers = [_tracker(model_dir / part) for part in ("train", "eval")]
    evaluator = build_evaluator(config, pipeline.label_map, trackers[1])
    detector = build_detector(config, seed=options(config).seed)
    pipeline.select_fields(detector.groundtruth_fields)
    if evaluator is not None:
        evaluator.prepare(detector)
    _freeze(config, detector)
    if not resumed:
        for loaded in start_from(config, detector):
            report.tell(*loaded.lines())
    optimizer, schedule = build_optimizer(config)
    describe = metadata_writer(config, pipeline.label_map)
    describe(model_dir)
    try:
        with warnings.catch_warnings():
            # Of blocks of a backbone above the last level that the config uses.
            warnings.filterwarnings("ignore", "Gradients do not exist")
            outcome = fit(
                detector,
                optimizer,
                pipeline,
                plan_of(config),
                model_dir,
                describe,
                rate_at=lambda s: float(keras.ops.convert_to_numpy(schedule(s))),
                evaluate=evaluator,
                tracker=trackers[0],
                same_data=same_data,
            )
    finally:
        pipeline.close()
        report.tell_problems("training data", pipeline)
        if evaluator is not None:
            report.tell_problems("evaluation data", evaluator.dataset)
        for tracker in trackers:
            tracker.close()
    report.sum_up(outcome, plan_of(config), model_dir)
    return outcome


def plan_of(config: Config) -> Plan:
    """Returns what a config says about how long to train and what to do meanwhile."""
    train, ours = config.train_config, options(config)
    return Plan(
        num_steps=train.num_steps,
        log_every=max(1, min(100, train.num_steps // 50)),
        save_every=ours.checkpoints.every_n_steps,
        keep=ours.checkpoints.keep,
        evaluate_every=ours.evaluation.every_n_steps,
        best_metric=ours.evaluation.best_metric,
        patience=ours.early_stopping.patience,
        min_delta=ours.early_stopping.min_delta,
        average=train.optimizer.use_moving_average
        and config.eval_config.use_moving_averages,
    )


def _resumed(config: Config, model_dir: pathlib.Path) -> tuple[bool, bool]:
    """Looks for a run to go on with; tells whether there is, with the same data."""
    folders.tidy(model_dir)
    last = folders.latest(model_dir)
    if last is None:
        return False, True
    if not training_state.is_resumable(last):
        raise CheckpointError(
            str(last),
            "is no checkpoint of a training, it cannot be resumed",
            hint="take another --model-dir, and start from it: "
            "train_config.fine_tune_checkpoint",
        )
    found = resume.differences(load_config(last / folders.CONFIG), config)
    report.tell(f"Going on from {last}", *resume.lines(found))
    return True, resume.same_data(found)


def _freeze(config: Config, detector: Any) -> None:
    from odapi.zoo.names.detector_keys import detector_keys

    train = config.train_config
    frozen, trained = train.freeze_variables, train.update_trainable_variables
    if frozen or trained:
        report.tell(*freeze(detector, frozen, trained, detector_keys(detector)))


def _tracker(folder: pathlib.Path) -> FailSafeTracker:
    return FailSafeTracker(lambda: TensorBoard(folder), report.tell)
