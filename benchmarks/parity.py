"""Compares our models with stored outputs of the original.

    python -m benchmarks.parity --golden ../shared/golden
    python -m benchmarks.parity --golden DIR --model NAME --backend jax

Prints a row for each group of tensors: the largest difference, relative to the
largest value of its tensor, and the tensor it is in. Exits with 1 if any is beyond
its tolerance. Weights need no file: each is made from its checkpoint key.
"""

import argparse
import collections
import importlib.util
import os
import pathlib
import subprocess
import sys

BACKENDS = ("tensorflow", "jax", "torch")
_GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "shared" / "golden"


def main(arguments: list[str] | None = None) -> int:
    """Runs the comparison; returns 1 if something is beyond tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--golden", type=pathlib.Path, default=_GOLDEN)
    parser.add_argument("--model", help="one of the stored models; all by default")
    parser.add_argument("--backend", choices=BACKENDS, help="all by default")
    options = parser.parse_args(arguments)
    if options.backend is None:
        return _every_backend(options)
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from odapi.errors import OdapiError

    try:
        return _compare(options)
    except OdapiError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _every_backend(options: argparse.Namespace) -> int:
    """Runs each backend in a process of its own."""
    failed = 0
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            print(f"{backend}: skipped, not installed", flush=True)
            continue
        command = [sys.executable, "-m", "benchmarks.parity", "--backend", backend]
        command += ["--golden", str(options.golden)]
        command += ["--model", options.model] if options.model else []
        failed |= subprocess.run(command, check=False).returncode != 0
    return int(failed)


def _compare(options: argparse.Namespace) -> int:
    from benchmarks.parity_compare import UnsupportedError, compare
    from benchmarks.parity_golden import GoldenFolder

    folder = GoldenFolder(options.golden)
    names = [options.model] if options.model else folder.names()
    skipped: dict[str, list[str]] = collections.defaultdict(list)
    failed = False
    for name in names:
        try:
            rows = compare(folder, name)
        except UnsupportedError as error:
            skipped[str(error)].append(name)
            continue
        print(f"\n{name} on {options.backend}")
        for row in rows:
            print(f"  {row}", flush=True)
            failed |= not row.ok
    for reason, models in skipped.items():
        word = "FAIL" if options.model else "skipped"
        print(f"\n{word}: {reason}: {', '.join(models)}")
    return int(failed or bool(options.model and skipped))


if __name__ == "__main__":
    sys.exit(main())
