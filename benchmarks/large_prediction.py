"""`odapi tools predict` with one and two worker processes against `odapi predict`.

    python -m benchmarks.large_prediction MODEL IMAGES [--rounds 3]

Runs the commands in turns on the same images and prints a table: seconds, processor
seconds of all processes, the ratio of both to `odapi predict` in the same round
(median), and the memory of the largest process.
MODEL is a run or a checkpoint folder, IMAGES a glob. Needs `odapi[beam]`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

_WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers={}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("images")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for name, command in commands(options, f"{folder}/{number}").items():
                rows.setdefault(name, []).append(measured(command))
    print(f"{processor()}, load {os.getloadavg()[0]:.0f}\n")
    print("| command | seconds | ratio | processor seconds | ratio | memory, MB |")
    print("|---|---|---|---|---|---|")
    first = rows["odapi predict"]
    for name, found in rows.items():
        cells = []
        for column in (0, 1):
            values = [row[column] for row in found]
            pairs = zip(values, first, strict=True)
            ratio = statistics.median(v / f[column] for v, f in pairs)
            cells.append(f"{statistics.median(values):.1f} | {ratio:.2f}")
        print(f"| {name} | {' | '.join(cells)} | {max(r[2] for r in found):.0f} |")


def commands(options: argparse.Namespace, folder: str) -> dict[str, list[str]]:
    """Returns the command lines by name."""
    tool = ["tools", "predict", options.model, options.images, "--num-shards", "8"]
    two = [part.format(2) for part in _WORKERS]
    return {
        "odapi predict": [
            *("predict", options.model, options.images),
            *("--coco-results", f"{folder}/detections.json"),
        ],
        "odapi tools predict": [*tool, "--output", f"{folder}/one"],
        "odapi tools predict, two workers": [
            *(*tool, "--output", f"{folder}/two", "--", *two)
        ],
    }


def processor() -> str:
    """Returns name, cores and the features that matter of the processor."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = text.partition("model name")[2].splitlines()[0].strip("\t: ")
    flags = set(text.partition("flags")[2].splitlines()[0].split())
    found = sorted(flags & {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})
    return f"{name}, {os.cpu_count()} cores, {' '.join(found)}"


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Returns seconds, processor seconds and the memory (MB) of the largest process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "odapi.cli", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    largest, ended = 0.0, 0
    while not ended:
        largest = max([largest, *(_memory(p) for p in _group(process.pid))])
        time.sleep(0.1)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    seconds = time.perf_counter() - start
    return seconds, usage.ru_utime + usage.ru_stime, largest


def _group(leader: int) -> list[int]:
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except OSError:  # It has ended.
                continue
    return found


def _memory(process: int) -> float:
    try:
        text = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    lines = [line.split() for line in text.splitlines() if line.startswith("VmRSS")]
    return int(lines[0][1]) / 1000 if lines else 0.0


if __name__ == "__main__":
    main()
