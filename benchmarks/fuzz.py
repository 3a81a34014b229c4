"""Damaged inputs of every kind, many of them: `tests/fuzz` with more cases and seeds.

    python -m benchmarks.fuzz
    python -m benchmarks.fuzz --cases 3000 --seeds 1 2 --kinds coco voc
    python -m benchmarks.fuzz --kinds coco --seeds 7 --first 123 --cases 1

Each kind runs in processes of its own; one that dies or hangs fails at its case. Prints
a table, and every failed case with what repeats it. Exits with 1 if a case failed.
"""

import argparse
import collections
import multiprocessing
import os
import pathlib
import sys
import tempfile
import time

_TESTS = pathlib.Path(__file__).resolve().parents[1] / "tests"
_BLOCK = 100  # Cases per message of a process.
_MAX_SECONDS = 600  # Of a block: hangs in native code.
_SHOWN = 3  # Cases per reason.


def main(arguments: list[str] | None = None) -> int:
    """Runs all kinds; returns 1 if a case failed."""
    sys.path[:0] = [str(_TESTS), str(_TESTS / "fuzz")]
    kinds = _kinds()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000, help="per kind and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--kinds", nargs="+", default=list(kinds), choices=kinds)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args(arguments)
    failures = 0
    print(f"{'kind':<14}{'cases':>7}{'read':>7}{'refused':>9}{'failed':>8}{'s':>7}")
    for name in options.kinds:
        start, read, refused = time.monotonic(), 0, 0
        failed: dict[str, list[str]] = collections.defaultdict(list)
        firsts: dict[str, str] = {}
        for seed in options.seeds:
            last = options.first + options.cases
            for first in range(options.first, last, _BLOCK):
                count = min(_BLOCK, last - first)
                block_read, block_refused, reasons = _in_process(
                    name, count, seed, first
                )
                read, refused = read + block_read, refused + block_refused
                for number, reason in reasons:
                    where, _, text = reason.partition(": ")
                    firsts.setdefault(where, text)
                    failed[where].append(f"--seeds {seed} --first {number}")
        number = sum(map(len, failed.values()))
        total, seconds = options.cases * len(options.seeds), time.monotonic() - start
        print(
            f"{name:<14}{total:>7}{read:>7}{refused:>9}{number:>8}{seconds:>7.0f}",
            flush=True,
        )
        for reason, places in sorted(failed.items(), key=lambda item: -len(item[1])):
            shown = "; ".join(places[:_SHOWN])
            print(f"  {len(places)} x {reason}: {firsts[reason]}")
            print(f"      --kinds {name} {shown}")
        failures += number
    return 1 if failures else 0


def _kinds():
    from fuzz_checkpoints import CHECKPOINT_KINDS
    from fuzz_formats import FORMAT_KINDS
    from fuzz_kinds import DATA_KINDS

    return DATA_KINDS | FORMAT_KINDS | CHECKPOINT_KINDS


def _in_process(name, count, seed, first):
    """Runs a block of cases in a process; the rest of one that ends is run again."""
    read = refused = 0
    reasons = []
    while count > 0:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(
            target=_work, args=(name, count, seed, first, theirs), daemon=True
        )
        process.start()
        theirs.close()
        done = 0
        while done < count:
            try:
                found = ours.recv() if ours.poll(_MAX_SECONDS) else None
            except EOFError:
                found = None
            if found is None:
                process.kill()
                process.join()
                reason = f"the process ended or hung (exit code {process.exitcode})"
                reasons.append((first + done, reason))
                done += 1
                break
            read, refused = read + found.read, refused + found.refused
            reasons += found.failed
            done += 1
        process.join()
        count, first = count - done, first + done
    return read, refused, reasons


def _work(name, count, seed, first, pipe):
    from fuzz_harness import run

    kind = _kinds()[name]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ODAPI_CACHE"] = cache
        for number in range(first, first + count):
            pipe.send(run(kind, 1, seed, number))
    pipe.close()


if __name__ == "__main__":
    sys.exit(main())
