"""Cost per step of `options.health.save_diverged_step`.

    python -m benchmarks.divergence_cost          # writes results/divergence_cost.md
    python -m benchmarks.divergence_cost --backend jax --rounds 20 --dry-run

Trains an SSD MobileNetV2 at 160 x 160 with `options.health.save_diverged_step` true and
false in turns in one process, on the same batch of noise; the first step of a turn is
not counted. CPU time, of all threads, is less disturbed by other programs than the time
by the clock.
"""

import argparse
import pathlib
from typing import Any

import numpy as np

from benchmarks.processes import RESULTS, SHARED, in_process, table, tell
from benchmarks.step_clock import timed_fit
from odapi.runtime.cpu import processor

_CONFIG = SHARED / "configs" / "tf2" / "ssd_mobilenet_v2_320x320_coco17_tpu-8.config"
_SIZE = "model.ssd.image_resizer.fixed_shape_resizer={height: 160 width: 160}"
_BATCH, _STEPS = 8, 3


def main() -> None:
    args = _arguments()
    if args.row:
        tell(_measure(args.rounds))
        return
    options = {"row": "cost", "rounds": args.rounds}
    rows = []
    for name in args.backend.split(","):
        found = in_process("benchmarks.divergence_cost", options, name, args.threads)
        cells = [f"{found[k][0]:.1f} ({found[k][1]:.1f})" for k in ("false", "true")]
        ratios = [f"{ratio:.3f}" for ratio in found["ratio"]]
        rows.append([name, *cells, *ratios])
    head = ["backend", "false, ms (CPU)", "true, ms (CPU)", "true / false", "CPU"]
    text = (
        "# Cost of `options.health.save_diverged_step` per step\n\n"
        f"`python -m benchmarks.divergence_cost`: SSD MobileNetV2, 160 x 160, batches "
        f"of {_BATCH}.\n{processor()}; {args.threads} threads.\n"
        f"Medians of {args.rounds} turns of {_STEPS} steps; in parentheses the CPU "
        "time of all threads. The last\ntwo columns are the medians of the ratios of "
        "turns that follow each other.\n\n" + table(head, rows)
    )
    print(text)
    if not args.dry_run:
        (RESULTS / "divergence_cost.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="tensorflow", help="separated by commas")
    parser.add_argument("--rounds", type=int, default=40, help="turns of each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(rounds: int) -> dict[str, list[float]]:
    """Returns medians (by the clock, of CPU time) of both, and of their ratios."""
    from odapi.data.loader.malloc import keep_freed_memory

    keep_freed_memory()  # As the command does.
    trials = {"false": _Trial(saves=False), "true": _Trial(saves=True)}
    for trial in trials.values():
        trial.run(3)  # Traces and compiles.
    turns: dict[str, list] = {name: [] for name in trials}
    for index in range(rounds):
        names = list(trials)[:: 1 if index % 2 else -1]
        for name in names:
            turns[name].append(np.median(trials[name].run(1 + _STEPS)[1:], axis=0))
    times = {name: np.asarray(rows) for name, rows in turns.items()}
    found = {name: np.median(rows, axis=0).tolist() for name, rows in times.items()}
    ratios = np.median(times["true"] / times["false"], axis=0)
    return found | {"ratio": ratios.tolist()}


class _Trial:
    """A detector that is trained on one batch."""

    def __init__(self, saves: bool):
        import odapi
        from benchmarks.models_rows import batches, load
        from odapi.build.optimizer import build_optimizer
        from odapi.training.divergence.recorder import StepRecorder
        from odapi.training.plan import Outcome, Plan
        from odapi.training.run_state import RunState

        config = load(_CONFIG, [_SIZE])
        detector = odapi.build_detector(config, seed=0)
        optimizer = build_optimizer(config).optimizer
        optimizer.build(detector.trainable_variables)
        self.recorder: Any = None
        if saves:
            state = RunState(Plan(1), Outcome(step=0), lambda step: 0.0)
            folder = pathlib.Path("unused")
            self.recorder = StepRecorder(
                state, folder, detector, optimizer, lambda folder: None
            )
        detector.compile(optimizer=optimizer)
        self.detector = detector
        self.batches = lambda: batches(detector, _BATCH)

    def run(self, number: int) -> list[tuple[float, float]]:
        """Trains `number` steps; returns milliseconds by the clock and of CPU time."""
        import keras

        recorder = self.recorder

        class Guard(keras.callbacks.Callback):
            def on_train_batch_begin(self, step, logs=None):
                recorder.before_step()

            def on_train_batch_end(self, step, logs=None):
                float(logs["loss"])  # As training does: waits for the step.
                recorder.was_skipped()

        callbacks = [] if recorder is None else [Guard()]
        made = timed_fit(self.detector, self.batches(), number, callbacks)
        return [step.ms for step in made]


if __name__ == "__main__":
    main()
