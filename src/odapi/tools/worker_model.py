"""The model of a large prediction, loaded once per worker process."""

import os
import sys
import threading
from collections.abc import Sequence

import numpy as np

from odapi.errors import CheckpointError
from odapi.inference.predict import configure
from odapi.inference.predictor import Arrays, Predictor
from odapi.tools.prediction_job import Job, model_digest


class LoadedModel:
    """A predictor with the options of a job, called by one thread at a time."""

    def __init__(self, job: Job):
        options = job.options
        loaded = job.load(job.model, options.overrides, options.label_map)
        self.predictor: Predictor = loaded
        self._run, self.batch_size = configure(
            loaded, options.batch_size, options.context, options.tile
        )
        self._lock = threading.Lock()

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns the objects of each image; see `Predictor`."""
        with self._lock:
            found: list[Arrays] = self._run(images)
            return found


_LOADED: dict[str, tuple[Job, LoadedModel]] = {}  # The latest one.
_LOCK = threading.Lock()


def loaded_model(job: Job) -> LoadedModel:
    """Returns the model of a job, loaded at the first call in a process.

    Raises:
        CheckpointError: Its files differ from those where the run was started.
    """
    with _LOCK:
        before = _LOADED.get("model")
        if before is not None and _same_model(before[0], job):
            return before[1]
        if "keras" not in sys.modules:
            os.environ.update(job.environment)
        if job.model_digest and model_digest(job.model) != job.model_digest:
            raise CheckpointError(
                job.model,
                "differs from the model where the prediction was started",
                hint="every worker needs the same files under this path",
            )
        model = LoadedModel(job)
        _LOADED["model"] = (job, model)
        return model


def _same_model(a: Job, b: Job) -> bool:
    names = ("overrides", "label_map", "context", "batch_size", "tile")
    return (a.model, a.model_digest, a.load) == (b.model, b.model_digest, b.load) and (
        all(getattr(a.options, name) == getattr(b.options, name) for name in names)
    )
