"""`odapi benchmark`: models side by side, in turns."""

import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from odapi.arguments import check_count
from odapi.errors import DataError
from odapi.runtime.cpu import num_cpus
from odapi.timing.worker_process import WorkerProcess

_MAP = "DetectionBoxes_Precision/mAP"


@dataclasses.dataclass(frozen=True)
class Timing:
    """Latency of one model with a number of threads and images per call.

    Args:
        model: Path.
        threads: CPU cores that it could use.
        batch_size: Images per call.
        calls: Number of calls.
        mean_ms, p50_ms, p99_ms: Of one call, with resizing and NMS.
        images_per_second: From the median of a call.
        spread: Difference of the slowest and the fastest median of a round, relative to
            the median; the noise of the measurement.
    """

    model: str
    threads: int
    batch_size: int
    calls: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    images_per_second: float
    spread: float


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """Facts that do not depend on threads and batch size.

    Args:
        model: Path.
        megabytes: Size of the files.
        load_seconds, first_seconds: Duration of loading, and of the first prediction,
            with all threads.
        peak_mb: Peak memory of the process.
        map: COCO mAP; None without a dataset.
    """

    model: str
    megabytes: float
    load_seconds: float
    first_seconds: float
    peak_mb: float
    map: float | None


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """Result of `benchmark`.

    Args:
        models: Facts, one row per model.
        timings: Rows of every model, number of threads and batch size.
        rounds, seconds: Number of turns, and duration of a turn.
        images: Number of different images.
        image_size: Height and width of the first image.
    """

    models: tuple[ModelFacts, ...]
    timings: tuple[Timing, ...]
    rounds: int
    seconds: float
    images: int
    image_size: tuple[int, int]


def benchmark(
    models: Sequence[pathlib.Path],
    images: Sequence[np.ndarray],
    *,
    data: str | None = None,
    max_images: int = 0,
    threads: Sequence[int] = (),
    batch_sizes: Sequence[int] = (1,),
    rounds: int = 5,
    seconds: float = 1.0,
    progress: Callable[[str], Any] = lambda text: None,
) -> Benchmark:
    """Times models in turns, each in a process of its own, on the same images.

    A call takes decoded images and returns detections: it resizes, runs the network and
    suppresses. Warm-up calls are not counted. Models take turns, so that a disturbance
    by other programs meets all of them.

    Args:
        models: Run folders, checkpoints, exports and exported files.
        images: uint8 `[h, w, 3]`.
        data: Dataset on which mAP is measured; None: it is not.
        max_images: Of the dataset; 0: all.
        threads: Numbers of CPU cores; empty: 1 and all.
        batch_sizes: Images per call.
        rounds: Number of turns of each model.
        seconds: Duration of a turn.
        progress: Is called with what is done next.

    Raises:
        CheckpointError: A path is no model, or it cannot be run.
        DataError: There are no images.
    """
    if not images:
        raise DataError("images", "there are none to time models on")
    for name, value in (("rounds", rounds), ("max_images", max_images + 1)):
        check_count(name, value)
    all_cores = num_cpus()
    counts = list(dict.fromkeys(threads or (1, all_cores)))
    timings: list[Timing] = []
    facts: list[ModelFacts] = []
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "images.npz"
        named: dict[str, Any] = {f"{i:04}": one for i, one in enumerate(images)}
        np.savez(file, **named)
        for count in counts:
            with contextlib.ExitStack() as stack:
                workers = []
                for path in models:
                    progress(f"loading {path}")
                    worker = WorkerProcess(path, file, count)
                    workers.append(stack.enter_context(worker))
                for batch in batch_sizes:
                    progress(f"timing with {count} threads, {batch} images per call")
                    timings += _timed(workers, count, batch, rounds, seconds)
                if count == counts[-1]:
                    peaks = [w.ask(do="memory")["peak_mb"] for w in workers]
                    for worker, peak in zip(workers, peaks, strict=True):
                        progress(f"evaluating {worker.path}" if data else "")
                        facts.append(_facts(worker, peak, data, max_images))
    height, width = images[0].shape[:2]
    return Benchmark(
        tuple(facts), tuple(timings), rounds, seconds, len(images), (height, width)
    )


def _timed(
    workers: Sequence[WorkerProcess],
    threads: int,
    batch: int,
    rounds: int,
    seconds: float,
) -> list[Timing]:
    """Returns the timings of all models, which take turns."""
    taken: list[list[np.ndarray]] = [[] for _ in workers]
    for _ in range(rounds):
        for worker, of_model in zip(workers, taken, strict=True):
            found = worker.ask(do="time", batch=batch, seconds=seconds)["seconds"]
            of_model.append(np.array(found) * 1e3)
    return [
        _timing(str(worker.path), threads, batch, of_model)
        for worker, of_model in zip(workers, taken, strict=True)
    ]


def _timing(
    model: str, threads: int, batch: int, rounds: Sequence[np.ndarray]
) -> Timing:
    """Returns the statistics of the calls of several rounds, in milliseconds."""
    calls = np.concatenate(rounds)
    medians = np.array([np.median(of_round) for of_round in rounds])
    median = float(np.median(calls))
    return Timing(
        model=model,
        threads=threads,
        batch_size=batch,
        calls=len(calls),
        mean_ms=float(calls.mean()),
        p50_ms=median,
        p99_ms=float(np.percentile(calls, 99)),
        images_per_second=1e3 * batch / median,
        spread=float(np.ptp(medians)) / median,
    )


def _facts(
    worker: WorkerProcess, peak_mb: float, data: str | None, max_images: int
) -> ModelFacts:
    metrics: dict[str, float] = {}
    if data:
        metrics = worker.ask(do="evaluate", data=data, max_images=max_images)
    return ModelFacts(
        model=str(worker.path),
        megabytes=_size(worker.path) / 1e6,
        peak_mb=peak_mb,
        map=metrics.get(_MAP),
        **worker.loaded,
    )


def _size(path: pathlib.Path) -> int:
    """Returns the bytes of a model: of a run folder, those of all its files."""
    if path.is_file():
        weights = path.with_suffix(".bin")  # Of an OpenVINO model.
        files = [path, weights] if path.suffix == ".xml" else [path]
    else:
        files = [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.is_file())
