"""The input pipeline compared with a tf.data pipeline that does the same work.

    python -m benchmarks.input_pipeline [--data voc:PATH?split=train] [--shared PATH]

Each row reads tf.Example records in random order, decodes JPEG, flips and
crops images, changes their color, resizes them, transforms their boxes and makes
batches. All programs of a row take turns on the same core, each in its own process, so
that other load on the machine affects all of them alike. Images per second are
measured by wall-clock time and, less affected by other load, by processor time. The
table is written to benchmarks/results/input_pipeline.md.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from odapi.wording import counted

ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "input_pipeline.md"
BATCH, MAX_BOXES = 8, 100
# Images before the clock starts: as many epochs of BCCD as each process needs to have
# seen all images, of a few processes.
_WARM_UP = 1200
_CACHE = 512 << 20  # The default.
_H100_RETINANET = 355  # Images/s of a training at 640 pixels.

# Name of the work: size of the images, and the steps before resizing.
WORK = {
    "ssd": (320, "flip, ssd_random_crop"),
    "crop and color": (
        320,
        "flip, crop_image, brightness, contrast, saturation, hue",
    ),
    "scale jitter": (
        640,
        "flip, scale_crop_and_pad_to_square, brightness, contrast, saturation",
    ),
}
# Images are decoded once, as in training if they fit into `cache_mb`.
OURS = "odapi"
ANEW = "odapi, decoding each time"
PROCESSES = "odapi, processes"
# As the original: colors and normalization on the whole image, then resizing.
THEIRS = "tf.data, as in the original"
CACHED = "tf.data, decoding once"
# Colors on the small image, no second resizing: what a careful user would write.
CHEAPEST = "tf.data, resized first"


def main() -> None:
    args = _arguments()
    if args.worker:
        print(json.dumps(_worker(args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        args.records = _as_records(args.data, folder)
        lines = _speed_table(args) + _steps_table()
        lines += _cores_table(args) + _memory_table(args)
    text = "\n".join(lines) + "\n"
    print(text)
    if not args.dry_run:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(_head(args) + text)


def _arguments() -> argparse.Namespace:
    shared = os.environ.get("ODAPI_SHARED", str(ROOT.parent / "shared"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", default=shared, help="folder with data/bccd")
    parser.add_argument("--data", help="a dataset; by default BCCD's training images")
    parser.add_argument("--seconds", type=float, default=4.0, help="a measurement")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each program")
    parser.add_argument("--epochs", type=int, default=30, help="for the memory table")
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    for name in ("worker", "work", "cores", "records"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.data = args.data or f"voc:{args.shared}/data/bccd?split=train"
    return args


def _as_records(data: str, folder: str) -> str:
    from odapi.data.formats.tfrecord_writer import write_tfrecord
    from odapi.data.sources.open import open_source

    source = open_source(data)
    path = pathlib.Path(folder) / "data.tfrecord"
    write_tfrecord(source, path, range(len(source)))
    return str(path)


def _measure(args: argparse.Namespace, worker: str, work: str, cores: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.input_pipeline", "--worker", worker]
    command += ["--work", work, "--cores", cores, "--records", args.records]
    command += ["--seconds", str(args.seconds), "--epochs", str(args.epochs)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(result.stderr)
    return json.loads(result.stdout.splitlines()[-1])


def _speed_table(args: argparse.Namespace) -> list[str]:
    lines = [
        "## Images per second, one core",
        "",
        "| work | program | images/s | images per CPU second | ratio | ratio, CPU |",
        "|---|---|---:|---:|---:|---:|",
    ]
    core = str(min(os.sched_getaffinity(0)))
    for work, (size, steps) in WORK.items():
        programs = [OURS, ANEW, THEIRS, CACHED]
        if "brightness" in steps:
            programs.append(CHEAPEST)
        runs: dict[str, list[dict]] = {name: [] for name in programs}
        for _ in range(args.rounds):
            for name in programs:
                runs[name].append(_measure(args, name, work, core))
        anew = _median(runs[ANEW], "wall")
        for name in programs:
            wall, cpu = _median(runs[name], "wall"), _median(runs[name], "cpu")
            # Within a round, so that both met the same load.
            ratio, cpu_ratio = (
                statistics.median(
                    ours[key] / theirs[key]
                    for ours, theirs in zip(runs[OURS], runs[name], strict=True)
                )
                for key in ("wall", "cpu")
            )
            lines.append(
                f"| {work}: {steps}, {size} | {name} | {wall:.0f} | {cpu:.0f} | "
                f"{ratio:.1f} | {cpu_ratio:.1f} |"
            )
    return [
        *lines,
        "",
        "Ratios are the speed-up of odapi in the same round. Training decodes an image",
        "once if all of them fit into options.data_loading.cache_mb, as here; the",
        "original, the TF Object Detection API, decodes each time.",
        "",
        *_cores_for_training(anew),
        "",
    ]


def _cores_for_training(speed: float) -> list[str]:
    """Returns a text with the cores that an H100 training RetinaNet keeps busy."""
    cores = math.ceil(_H100_RETINANET / speed)
    return [
        f"RetinaNet R50 at 640 pixels on an H100 takes {_H100_RETINANET} images/s.",
        f"With scale jitter to 640 pixels, one core decodes and augments {speed:.0f}",
        f"images/s: {counted(cores, 'core')} of this kind.",
    ]


def _median(runs: list[dict], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def _steps_table() -> list[str]:
    """Returns the table of single steps, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.augmentation_steps"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(result.stderr)
    return result.stdout.splitlines()


def _cores_table(args: argparse.Namespace) -> list[str]:
    cores = sorted(os.sched_getaffinity(0))
    lines = [
        "## Cores",
        "",
        "| work | cores | threads | speed-up | processes | speed-up |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    numbers = [n for n in (1, 2, 4, 8) if n <= len(cores)]
    ways = (OURS, PROCESSES)
    for work in WORK:
        runs: dict[tuple, list[float]] = {(n, way): [] for n in numbers for way in ways}
        for _ in range(args.rounds):
            for n, way in runs:
                use = ",".join(str(core) for core in cores[:n])
                runs[n, way].append(_measure(args, way, work, use)["wall"])
        for n in numbers:
            cells = [work, f"{n}"]
            for way in ways:
                # Beside threads on one core, in the same round.
                pairs = zip(runs[n, way], runs[numbers[0], OURS], strict=True)
                gain = statistics.median(many / one for many, one in pairs)
                cells += [f"{statistics.median(runs[n, way]):.0f}", f"{gain:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    load = os.getloadavg()[0]
    return [
        *lines,
        "",
        "Images/s of wall-clock time, with one thread or process per core; the process",
        "that consumes the batches runs on the same cores. Load of the machine "
        f"during the run: {load:.1f}.",
        "",
    ]


def _memory_table(args: argparse.Namespace) -> list[str]:
    use = ",".join(str(core) for core in sorted(os.sched_getaffinity(0)))
    run = _measure(args, "memory", "crop and color", use)
    lines = ["## Memory", "", "| after epoch | resident, MB |", "|---:|---:|"]
    lines += [f"| {epoch} | {size:.0f} |" for epoch, size in run["resident"]]
    return lines


def _head(args: argparse.Namespace) -> str:
    import platform

    versions = ", ".join(f"{n} {v}" for n, v in _versions().items())
    return (
        "# Input pipeline\n\n`python -m benchmarks.input_pipeline`, "
        f"{os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {versions}.\n"
        f"Data: `{pathlib.Path(args.data).name}`, as records; batches of {BATCH}, "
        f"medians of {args.rounds} rounds.\n\n"
    )


def _versions() -> dict[str, str]:
    from importlib import metadata

    names = ("opencv-python-headless", "simplejpeg", "grain", "tensorflow-cpu")
    found = {
        d.metadata["Name"].replace("_", "-"): d.version
        for d in metadata.distributions()
    }
    return {name: found[name] for name in names if name in found}


def _worker(args: argparse.Namespace) -> dict:
    cores = {int(core) for core in args.cores.split(",")}
    os.sched_setaffinity(0, cores)
    if args.worker in (OURS, ANEW, PROCESSES):
        cache = 0 if args.worker == ANEW else _CACHE
        processes = len(cores) if args.worker == PROCESSES else 0
        batches = _our_batches(args.records, args.work, len(cores), cache, processes)
    elif args.worker == "memory":
        return _memory(args.records, args.work, len(cores), args.epochs)
    else:
        from benchmarks.input_pipeline_tf import tf_batches

        batches = tf_batches(
            *(args.records, args.work, len(cores)),
            resize_first=args.worker == CHEAPEST,
            cache=args.worker == CACHED,
        )
    batches = iter(batches)
    for _ in range(_WARM_UP // BATCH):
        next(batches)
    images, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < args.seconds:
        next(batches)
        images += BATCH
    return {
        "wall": images / (time.perf_counter() - start),
        "cpu": images / (time.process_time() - cpu),
    }


def _our_batches(
    records: str, work: str, threads: int, cache: int = _CACHE, processes: int = 0
):
    from odapi.data.augment.color import (
        AdjustBrightness,
        AdjustContrast,
        AdjustHue,
        AdjustSaturation,
    )
    from odapi.data.augment.crop import CropImage, SsdRandomCrop
    from odapi.data.augment.flip import HorizontalFlip
    from odapi.data.augment.square import ScaleCropPadToSquare
    from odapi.data.image.resize import FixedShape
    from odapi.data.loader.collate import Collate
    from odapi.data.loader.order import Order
    from odapi.data.loader.pipeline import Pipeline
    from odapi.data.sources.open import open_source

    size, steps = WORK[work]
    known = {
        "flip": HorizontalFlip(),
        "ssd_random_crop": SsdRandomCrop(),
        "crop_image": CropImage(0.5, (0.75, 1.33), (0.3, 1.0)),
        "scale_crop_and_pad_to_square": ScaleCropPadToSquare(size, 0.5, 1.5),
        "brightness": AdjustBrightness(),
        "contrast": AdjustContrast(),
        "saturation": AdjustSaturation(),
        "hue": AdjustHue(),
    }
    source = open_source(f"tfrecord:{records}", load_masks=False)
    return Pipeline(
        source,
        FixedShape(size, size),
        Collate(BATCH, MAX_BOXES, problems=source.problems),
        Order(seed=1),
        [known[step] for step in steps.split(", ")],
        threads=threads,
        cache=cache,
        processes=processes,
    )


def _memory(records: str, work: str, threads: int, epochs: int) -> dict:
    pipeline = _our_batches(records, work, threads)
    batches = iter(pipeline)
    seen, resident = 0, []
    for epoch in range(1, epochs + 1):
        while seen < epoch * pipeline.num_images:
            next(batches)
            seen += BATCH
        if epoch in (1, 2, 5) or epoch % 10 == 0:
            resident.append((epoch, _resident()))
    return {"resident": resident}


def _resident() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
