"""`options.precision: AUTO`: times training steps in each number format."""

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from odapi.build.detector import build_detector
from odapi.build.optimizer import build_optimizer
from odapi.build.precision import (
    AUTO,
    FLOAT32,
    lowered_layers,
    precision_name,
)
from odapi.config.load import Config, options
from odapi.data.loader.pipeline import Pipeline
from odapi.models.detector import Detector
from odapi.runtime.determinism import seed_everything
from odapi.runtime.distribution.strategy import Strategy
from odapi.runtime.half_precision import half_precision
from odapi.training.dynamic_shapes import compile_by_size, of_any_size
from odapi.training.messages import print_lines
from odapi.training.prefetcher import first_pair
from odapi.wording import counted

# Formats are timed in turns, so that other load on the machine meets all of them.
_ROUNDS, _MIN_ROUNDS = 5, 2
_STEPS = 3  # Measured per round, after one that is not.
_MAX_SECONDS = 60.0  # No further round begins after this time.
# A format that is not at least 3 % faster than float32 is not worth its rounding.
_MIN_GAIN = 0.97

_SINGLE = Strategy()

Milliseconds = Mapping[str, list[list[float]]]  # By precision: rounds of steps.


def keep_precision(config: Config, saved: Config) -> None:
    """Replaces AUTO by the precision that a run was started with.

    Args:
        config: The config of this call; changed.
        saved: The config of the run's checkpoint.
    """
    if is_auto(config):
        options(config).precision = options(saved).precision


def is_auto(config: Config) -> bool:
    """Returns whether the precision of a config is still to be chosen."""
    ours = options(config)
    return bool(ours.precision == ours.AUTO)


def choose_precision(
    config: Config,
    pipeline: Pipeline,
    prepare: Callable[[Detector], Any],
    check: Callable[[], None],
    strategy: Strategy = _SINGLE,
) -> None:
    """Replaces AUTO by the fastest precision; other precisions are left as they are.

    Where the device has no 16-bit format, that is FLOAT32, and nothing is timed.
    Otherwise detectors of each precision are trained for a few steps on the first
    batch of the run, and discarded.

    Args:
        config: Changed: gets the chosen precision.
        pipeline: The training data; its position stays.
        prepare: Called with each detector, such as to freeze variables.
        check: Called between steps; may raise to interrupt.
        strategy: The devices that share the batch, in the trial as in the training.
    """
    if not is_auto(config):
        return
    half, reason = half_precision()
    if not half:
        _record(config, FLOAT32)
        print_lines(f"Precision: {FLOAT32} ({AUTO} timed nothing: {reason})")
        return
    print_lines(f"Precision: {AUTO} times training steps in {FLOAT32} and {half}")
    try:
        with strategy.scope():
            times = _timed(config, pipeline, (FLOAT32, half), prepare, check)
        chosen, line = decide(times, reason)
    finally:
        _record(config, FLOAT32)
        gc.collect()
    _record(config, chosen)
    # The steps have used random numbers.
    seed_everything(options(config).seed, options(config).deterministic)
    print_lines(line)


def precision_lines(config: Config, detector: Detector) -> list[str]:
    """Returns lines about 16-bit layers of a detector on a CPU; else none."""
    lowered = lowered_layers(detector)
    if not lowered.layers:
        return []
    name = precision_name(options(config))
    lines = [
        f"Precision: {name} in {lowered.layers} of {lowered.of} convolutions and "
        f"matrix products of training steps, {FLOAT32} in all else"
    ]
    half, reason = half_precision()
    if half != name:
        lines.append(
            f"note: options.precision: {name} is slower than {FLOAT32} on this "
            f"processor, which does not compute in it ({reason}); AUTO would not use it"
        )
    return lines


def decide(times: Milliseconds, reason: str = "") -> tuple[str, str]:
    """Returns the fastest precision, and a line with the measurements.

    It is FLOAT32 unless another one is at least 3 % faster, both in the median of all
    steps and in the median of the ratios of each round.

    Args:
        times: Milliseconds of the steps of each round, by precision.
        reason: The features of the device that are named in the line.
    """
    base = times[FLOAT32]
    ratios = {
        name: max(_ratio(rounds, base), _median(rounds) / _median(base))
        for name, rounds in times.items()
    }
    best = min(ratios, key=lambda name: ratios[name])
    chosen = best if ratios[best] <= _MIN_GAIN else FLOAT32
    number = counted(sum(map(len, base)), "step")
    shown = ", ".join(f"{k} {_shown(_median(v))} ms" for k, v in times.items())
    return chosen, (
        f"Precision: {chosen} (medians of {number} each on this batch: {shown}"
        + (f"; {reason})" if reason else ")")
    )


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"


def _ratio(rounds: list[list[float]], base: list[list[float]]) -> float:
    pairs = zip(rounds, base, strict=True)
    return float(np.median([np.median(a) / np.median(b) for a, b in pairs]))


def _median(rounds: list[list[float]]) -> float:
    return float(np.median([step for steps in rounds for step in steps]))


def _record(config: Config, precision: str) -> None:
    ours: Any = options(config)
    ours.precision = ours.Precision.Value(precision)


def _timed(
    config: Config,
    pipeline: Pipeline,
    names: tuple[str, ...],
    prepare: Callable[[Detector], Any],
    check: Callable[[], None],
) -> dict[str, list[list[float]]]:
    trials = {}
    for name in names:
        _record(config, name)
        detector = build_detector(config, seed=options(config).seed)
        pipeline.select_fields(detector.groundtruth_fields)
        prepare(detector)
        trials[name] = Trial(name, detector, build_optimizer(config).optimizer)
    batch = first_pair(pipeline)
    for trial in trials.values():
        trial.run(batch, steps=2, check=check)  # Compiles.
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    start = time.monotonic()
    for number in range(_ROUNDS):
        if number >= _MIN_ROUNDS and time.monotonic() - start > _MAX_SECONDS:
            break
        for name, trial in trials.items():
            times[name].append(trial.run(batch, 1 + _STEPS, check)[1:])
    return times


class Trial:
    """A detector of one precision that is trained on one batch and timed."""

    def __init__(
        self, name: str, detector: Detector, optimizer: keras.optimizers.Optimizer
    ):
        self.name, self.detector = name, detector
        detector.compile(optimizer=optimizer)
        if detector.image_size is None:
            compile_by_size(detector)

    def run(self, batch: Any, steps: int, check: Callable[[], None]) -> list[float]:
        """Trains a number of steps; returns the milliseconds of each."""
        # A generator: `fit` refuses other iterators.
        batches: Iterator[Any] = (batch for _ in itertools.count())
        if self.detector.image_size is None:
            batches = of_any_size(batches)
        clock = _Clock(check)
        self.detector.fit(
            batches, steps_per_epoch=steps, callbacks=[clock], verbose=0, shuffle=False
        )
        return clock.milliseconds


class _Clock(keras.callbacks.Callback):
    """Times steps from the end of one to the end of the next."""

    def __init__(self, check: Callable[[], None]):
        super().__init__()
        self.milliseconds: list[float] = []
        self._check, self._last = check, 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Waits for the step and reads the clock."""
        float(logs["loss"])
        now = time.perf_counter()
        self.milliseconds.append(1e3 * (now - self._last))
        self._check()
        self._last = time.perf_counter()
