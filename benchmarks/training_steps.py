"""Training steps on this machine's CPU in each number format.

    python -m benchmarks.training_steps           # writes results/training_steps.md
    python -m benchmarks.training_steps --model fpnlite_320 --dry-run
    python -m benchmarks.training_steps --before ../other-checkout/src

One process per model has a detector of each format and trains them in turns, several
steps per round, on the same batch of noise; the first step of a turn is not counted.
AUTO is what `odapi train` would choose from these times. With `--before`, processes
with the package of that folder alternate with those of this one, and the last column is
the ratio of the CPU time of their float32 steps. CPU time, of all threads, is less
disturbed by other programs than the time by the clock.
"""

import argparse
import json
import os
import pathlib
import time

START = time.perf_counter()

from benchmarks.models import MODELS, Model  # noqa: E402
from benchmarks.processes import (  # noqa: E402
    RESULTS,
    in_process,
    table,
    tell,
)
from odapi.runtime.cpu import processor  # noqa: E402

# Milliseconds of the original on two cores of a Xeon with AMX, in turns with ours of
# that day; the lowest and the highest median of several runs.
_ON_AMX = {
    "ssd_mobilenet_v2_320": ("336-378", "279-371"),
    "fpnlite_320": ("423-456", "438-473"),
    "efficientdet_d0_512": ("2086", "1771"),
    "retinanet_r50_640": ("4793-4838", "4920-5050"),
}
_PATH = "PYTHONPATH"


def main() -> None:
    args = _arguments()
    if args.row:
        from benchmarks import training_steps_rows

        model = MODELS[args.model]
        steps = training_steps_rows.steps
        tell(steps(model.path, model.batch, args.formats.split(","), args.rounds))
        return
    names = [args.model] if args.model else list(_ON_AMX)
    measured = {}
    for name in names:
        measured[name] = _measure(name, args)
        print(json.dumps({name: measured[name]}, indent=2), flush=True)
    text = _report(measured, args.threads)
    print(text)
    if not args.dry_run:
        _write(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=8, help="turns of each format")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--formats", default="FLOAT32,BFLOAT16")
    parser.add_argument("--before", help="folder of another version of the package")
    parser.add_argument("--alternations", type=int, default=3, help="with --before")
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(name: str, args: argparse.Namespace) -> dict:
    options = {"row": "steps", "model": name, "rounds": args.rounds}
    module = "benchmarks.training_steps"
    found = in_process(
        module, options | {"formats": args.formats}, threads=args.threads
    )
    if args.before:
        found["before"] = _alternating(module, options, args)
    return found


def _alternating(module: str, options: dict, args: argparse.Namespace) -> list[dict]:
    """Returns the float32 medians of pairs of processes: before, and now."""
    ours = os.environ.get(_PATH, "")
    rows = []
    for _ in range(args.alternations):
        row = {}
        for label, folder in (("before", args.before), ("now", "")):
            paths = [str(pathlib.Path(folder).resolve())] if folder else []
            os.environ[_PATH] = os.pathsep.join([*paths, ours])
            one = options | {"formats": "FLOAT32"}
            row[label] = in_process(module, one, threads=args.threads)["FLOAT32"]
        rows.append(row)
    os.environ[_PATH] = ours
    return rows


def _report(measured: dict[str, dict], threads: int) -> str:
    formats = [k for k in next(iter(measured.values())) if k.isupper() and k != "AUTO"]
    head = ["model", "batch", *(f"{f}, ms (CPU)" for f in formats), "AUTO"]
    head += ["BFLOAT16 / FLOAT32", "original / ours on AMX, ms", "now / before"]
    rows = []
    for name, found in measured.items():
        model: Model = MODELS[name]
        cells = [f"{found[f]['ms']:.0f} ({found[f]['cpu']:.0f})" for f in formats]
        ratio = found.get("BFLOAT16", {}).get("ratio")
        rows.append(
            [
                name,
                str(model.batch),
                *cells,
                found["AUTO"],
                "-" if ratio is None else f"{ratio:.2f}",
                " / ".join(_ON_AMX.get(name, ("-", "-"))),
                _before(found),
            ]
        )
    return (
        "# Training steps on a CPU\n\n`python -m benchmarks.training_steps`\n\n"
        f"{processor()}; {threads} threads, TensorFlow.\nMedians; in parentheses the "
        "CPU time of all threads. The column of AMX is from\nanother machine, a Xeon "
        "with AMX.\n\n" + table(head, rows)
    )


def _before(found: dict) -> str:
    """Returns the ratio of CPU times to another version, lowest to highest."""
    if "before" not in found:
        return "-"
    ratios = sorted(r["now"]["cpu"] / r["before"]["cpu"] for r in found["before"])
    return f"{ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


def _write(text: str) -> None:
    """Replaces the measurements of the result file; keeps what follows them."""
    file = RESULTS / "training_steps.md"
    rest = ""
    if file.exists():
        _, mark, rest = file.read_text().partition("\n## ")
        rest = mark + rest
    file.write_text(text + rest)


if __name__ == "__main__":
    main()
