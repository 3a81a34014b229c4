"""The process in which one model is timed; reads commands and answers in JSON lines.

A process per model, since its memory is measured, its number of cores is set before any
runtime starts, and Keras has one backend per process.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

MARK = "odapi-timing:"  # Before an answer: libraries print, too.
_WARM_UP = 3  # Calls after the first one that are not counted.


def main() -> None:
    """Loads the model of the first command, then answers commands until the input ends.

    The arguments of the process are the number of CPU cores and the path of the model.
    """
    cores, path = int(sys.argv[1]), sys.argv[2]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    from odapi.errors import OdapiError

    worker: _Worker | None = None
    for line in sys.stdin:
        command = json.loads(line)
        answer: dict[str, Any]
        try:
            if worker is None:
                worker = _Worker(path, command["images"])
                answer = worker.loaded
            else:
                answer = getattr(worker, command.pop("do"))(**command)
        except OdapiError as error:
            answer = {"error": [error.place, error.problem, error.hint]}
        sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")
        sys.stdout.flush()


class _Worker:
    """A loaded model.

    Args:
        path: Of the model.
        images: A .npz file with images uint8 `[h, w, 3]`.
    """

    def __init__(self, path: str, images: str):
        import numpy as np

        from odapi import ObjectDetector

        with np.load(images) as file:
            self._images = [file[name] for name in file.files]
        start = time.perf_counter()
        self._detector = ObjectDetector.load(path)
        self._predictor: Any = self._detector.predictor
        loaded = time.perf_counter()
        self._sized(1)([self._images[0]])
        self.loaded = {
            "load_seconds": loaded - start,
            "first_seconds": time.perf_counter() - loaded,
        }

    def _sized(self, batch: int) -> Any:
        """Returns the predictor for a batch size; padding to a larger one is slower."""
        if hasattr(self._predictor, "with_batch_size"):
            return self._predictor.with_batch_size(batch)
        return self._predictor

    def time(self, batch: int, seconds: float) -> dict[str, list[float]]:
        """Returns the seconds of each call within a period; at least five calls."""
        predict = self._sized(batch)
        for i in range(_WARM_UP):
            predict(self._batch(i, batch))
        taken: list[float] = []
        start = time.perf_counter()
        while len(taken) < 5 or time.perf_counter() - start < seconds:
            images = self._batch(len(taken), batch)
            before = time.perf_counter()
            predict(images)
            taken.append(time.perf_counter() - before)
        return {"seconds": taken}

    def _batch(self, number: int, size: int) -> Sequence[Any]:
        first = number * size
        return [self._images[(first + i) % len(self._images)] for i in range(size)]

    def evaluate(self, data: str, max_images: int) -> dict[str, float]:
        """Returns the metrics on a dataset."""
        metrics = self._detector.evaluate(data, max_images=max_images).metrics
        return {name: float(value) for name, value in metrics.items()}

    def memory(self) -> dict[str, float]:
        """Returns the peak of the memory of the process so far, in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Kilobytes, but bytes on macOS.
        return {"peak_mb": peak / (1e6 if sys.platform == "darwin" else 1e3)}


if __name__ == "__main__":
    main()
