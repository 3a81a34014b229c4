"""The measurements of `benchmarks.training_steps`, in a process of their own."""

import pathlib
from collections.abc import Sequence

import numpy as np

from benchmarks.step_clock import timed_fit

_STEPS = 3  # Counted per turn.


def steps(
    config: pathlib.Path, batch: int, formats: Sequence[str], rounds: int
) -> dict:
    """Returns medians of a step in each format, by the clock and of CPU time."""
    from odapi.data.loader.malloc import keep_freed_memory

    keep_freed_memory()  # As the command does.
    trials = {name: _Trial(config, batch, name) for name in formats}
    times: dict[str, list] = {name: [] for name in formats}
    for trial in trials.values():
        trial.run(3)  # Traces and compiles.
    for _ in range(rounds):
        for name, trial in trials.items():
            times[name].append(trial.run(1 + _STEPS)[1:])
    found: dict = {}
    for name, turns in times.items():
        wall, cpu = np.moveaxis(np.asarray(turns), -1, 0)
        found[name] = {"ms": float(np.median(wall)), "cpu": float(np.median(cpu))}
        base = np.asarray(times[formats[0]])[..., 0]
        ratios = np.median(wall, axis=1) / np.median(base, axis=1)
        found[name]["ratio"] = float(np.median(ratios))
    found["AUTO"] = _chosen(times)
    return found


def _chosen(times: dict[str, list]) -> str:
    try:
        from odapi.training.auto_precision import decide
    except ImportError:  # A version before it.
        return "-"
    wall = {k: [[step[0] for step in turn] for turn in v] for k, v in times.items()}
    return decide(wall)[0]


class _Trial:
    """A detector in one format that is trained on one batch."""

    def __init__(self, config: pathlib.Path, batch: int, name: str):
        import odapi
        from benchmarks.models_rows import batches, load
        from odapi.build.optimizer import build_optimizer

        loaded = load(config, [f"options.precision={name}"])
        self.detector = odapi.build_detector(loaded, seed=0)
        self.detector.compile(optimizer=build_optimizer(loaded).optimizer)
        self.batches = lambda: batches(self.detector, batch)

    def run(self, number: int) -> list[tuple[float, float]]:
        """Trains `number` steps; returns milliseconds by the clock and of CPU time."""
        made = timed_fit(self.detector, self.batches(), number)
        return [step.ms for step in made]
