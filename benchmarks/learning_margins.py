"""Margins of the tests of learning over seeds, numbers of threads and oneDNN.

    python -m benchmarks.learning_margins
    python -m benchmarks.learning_margins --seeds 2 -k ssd
    python -m benchmarks.learning_margins --logs margins/   # Goes on if stopped

Runs the tests marked `learning` once per combination and prints, per number that they
ask for, its limit and the worst, median and best value. Exits with 1 if a number is
missed in any combination.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_RESULT = _ROOT / "benchmarks" / "results" / "learning_margins.md"


def main(arguments: list[str] | None = None) -> int:
    """Runs all combinations; returns 1 if a limit is missed in one of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-k", default="", help="as pytest's -k")
    parser.add_argument(
        "--logs", help="keep the values here; finished runs are not repeated"
    )
    parser.add_argument("--write", action="store_true", help=f"write {_RESULT.name}")
    options = parser.parse_args(arguments)
    rows = []
    settings = list(itertools.product(range(options.seeds), (1, 2), (0, 1)))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.logs or temporary
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        for n, (seed, threads, onednn) in enumerate(settings):
            print(f"{n + 1}/{len(settings)}: seed {seed}, {threads} threads, ", end="")
            print(f"oneDNN {'on' if onednn else 'off'}", flush=True)
            log = pathlib.Path(
                folder, f"seed{seed}-threads{threads}-onednn{onednn}.jsonl"
            )
            if not log.is_file():
                unfinished = log.with_suffix(".unfinished")
                unfinished.unlink(missing_ok=True)
                code = _run(options.k, unfinished, seed, threads, onednn)
                if code in (0, 1) and unfinished.is_file():  # 1: a number is missed.
                    unfinished.replace(log)
            if log.is_file():
                rows += [json.loads(line) for line in log.read_text().splitlines()]
    table, missed = _table(rows, len(settings))
    print(table)
    if options.write:
        _RESULT.write_text(f"# Margins of the tests of learning\n\n{table}\n")
    return 1 if missed else 0


def _run(select: str, log: pathlib.Path, seed: int, threads: int, onednn: int) -> int:
    """Runs the tests once; returns pytest's exit code."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "learning", "-k", select, "tests"],
        cwd=_ROOT,
        check=False,
        stdout=subprocess.DEVNULL,
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "ODAPI_LEARNING_LOG": str(log),
            "ODAPI_TEST_SEED": str(seed),
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": str(threads),
            "TF_ENABLE_ONEDNN_OPTS": str(onednn),
        },
    ).returncode


def _table(rows: list[dict[str, Any]], runs: int) -> tuple[str, int]:
    """Returns a Markdown table with one row per number, and how many are missed."""
    lines = [
        f"{runs} runs per number on TensorFlow: seeds, one and two threads,",
        "oneDNN off and on.\n",
        "| number | limit | worst | median | best | runs | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    missed = 0
    for name in sorted({row["name"] for row in rows}):
        found = [row for row in rows if row["name"] == name]
        above, below = found[0]["above"], found[0]["below"]
        values = sorted((row["value"] for row in found), reverse=above is None)
        failed = sum(v <= above if above is not None else v >= below for v in values)
        failed += runs - len(found)
        limit = f"> {above:g}" if above is not None else f"< {below:g}"
        numbers = (values[0], statistics.median(values), values[-1])
        cells = [name, limit, *(f"{v:.3f}" for v in numbers), len(found), failed]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
        missed += failed
    return "\n".join(lines), missed


if __name__ == "__main__":
    sys.exit(main())
