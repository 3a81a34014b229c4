"""Compares our models with stored outputs of the original.

    python -m benchmarks.parity --golden ../shared/golden
    python -m benchmarks.parity --golden DIR --model NAME ... --backend jax

Prints a row for each group of tensors: the largest difference, relative to the
largest value of its tensor, and the tensor it is in. Exits with 1 if any is beyond
its tolerance. Weights need no file: each is made from its checkpoint key. Each
backend runs in a process of its own; all of them together, over all models, write
benchmarks/results/parity.md. With `--keep` so does a run of some, which replaces
their rows only: the sweep of all takes hours.
"""

import argparse
import collections
import dataclasses
import gc
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

BACKENDS = ("tensorflow", "jax", "torch")
_ROOT = pathlib.Path(__file__).resolve().parents[1]
_GOLDEN = _ROOT.parent / "shared" / "golden"
_RESULT = _ROOT / "benchmarks" / "results" / "parity.md"
_ROWS = _ROOT / "benchmarks" / "results" / "parity"


def main(arguments: list[str] | None = None) -> int:
    """Runs the comparison; returns 1 if something is beyond tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--golden", type=pathlib.Path, default=_GOLDEN)
    parser.add_argument("--model", nargs="+", help="stored models; all by default")
    parser.add_argument("--backend", choices=BACKENDS, help="all by default")
    parser.add_argument("--rows", type=pathlib.Path, help="put rows in a JSON file")
    parser.add_argument("--keep", action="store_true", help="put rows in the table")
    options = parser.parse_args(arguments)
    if options.backend is None:
        return _every_backend(options)
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # As the stored outputs were made: oneDNN adds batch statistics in another order,
    # which shows in gradients (see `parity_step`).
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    from odapi.errors import OdapiError

    try:
        return _compare(options)
    except OdapiError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _every_backend(options: argparse.Namespace) -> int:
    """Runs each backend in a process of its own, and writes the table of all."""
    failed = 0
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            print(f"{backend}: skipped, not installed", flush=True)
            continue
        command = [sys.executable, "-m", "benchmarks.parity", "--backend", backend]
        command += ["--golden", str(options.golden)]
        command += ["--model", *options.model] if options.model else []
        command += ["--keep"] if options.keep or options.model is None else []
        failed |= subprocess.run(command, check=False).returncode != 0
    return int(failed)


def _compare(options: argparse.Namespace) -> int:
    import keras

    from benchmarks.parity_compare import UnsupportedError, compare
    from benchmarks.parity_golden import GoldenFolder

    folder = GoldenFolder(options.golden)
    names = options.model or folder.names()
    skipped: dict[str, list[str]] = collections.defaultdict(list)
    failed = False
    for name in names:
        try:
            rows = compare(folder, name)
        except UnsupportedError as error:
            skipped[str(error)].append(name)
            continue
        print(f"\n{name} on {options.backend}")
        found = []
        for row in rows:
            print(f"  {row}", flush=True)
            failed |= not row.ok
            found.append(dataclasses.asdict(row))
        if options.rows:
            _put(options.rows, name, found)
        if options.keep:
            _put(_ROWS / f"{options.backend}.json", name, found)
            _write_table()
        keras.backend.clear_session()  # Models of one process do not add up.
        gc.collect()
    for reason, models in skipped.items():
        word = "FAIL" if options.model else "skipped"
        print(f"\n{word}: {reason}: {', '.join(models)}")
    return int(failed or bool(options.model and skipped))


def _put(file: pathlib.Path, model: str, found: list[dict]) -> None:
    """Puts the rows of a model in a file, in place of older ones."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(rows | {model: found}, indent=1) + "\n")


def _write_table() -> None:
    files = {name: _ROWS / f"{name}.json" for name in BACKENDS}
    rows = {n: json.loads(f.read_text()) for n, f in files.items() if f.exists()}
    _RESULT.write_text(_table(rows))


def _table(rows: dict[str, dict[str, list[dict]]]) -> str:
    """Returns the largest difference of each model, group and backend in Markdown."""
    backends = list(rows)
    head = ["model", "tensors", "tolerance", *backends]
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)]]
    groups = {
        (model, row["group"]): row["tolerance"]
        for backend in reversed(backends)
        for model, found in rows[backend].items()
        for row in found
    }
    for model, group in sorted(groups, key=lambda pair: pair[0]):
        cells = [
            next(
                (
                    f"{row['difference']:.1e}" + _verdict(row)
                    for row in rows[backend].get(model, [])
                    if row["group"] == group
                ),
                "-",
            )
            for backend in backends
        ]
        lines.append([model, group, f"{groups[model, group]:.0e}", *cells])
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return (
        "# Parity with the original\n\n"
        "`python -m benchmarks.parity`: comparison with outputs of the TF Object "
        "Detection API\n"
        "(the original): the largest difference in each group of tensors, relative to "
        "the\n"
        "largest value of its tensor, with weights generated from the checkpoint keys. "
        "A dash\n"
        "means not run; FAIL means beyond the tolerance of the backend. For training "
        "steps\n"
        "the tolerance is the model's own sensitivity to rounding, or the distance of "
        "the\n"
        "stored numbers from float64, if that is larger. Two-stage models crop regions "
        "by the\n"
        "stored boxes if ours are within 2e-6: their last bit decides whether the last "
        "row of\n"
        "a crop is 0. Training steps sum batch statistics in the original's order on "
        "all\n"
        "backends: in the order of the backend, losses of the deepest model differ by "
        "up to\n"
        "1.3e-4 on JAX and torch.\n\n"
        f"{body}\n"
    )


def _verdict(row: dict) -> str:
    return "" if row["difference"] <= row["tolerance"] else " FAIL"


if __name__ == "__main__":
    sys.exit(main())
