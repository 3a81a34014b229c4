"""Memory of training steps at a batch size, measured in a process of its own.

    python -m odapi.training.memory_probe FOLDER

FOLDER has `pipeline.config`, `sample.npz` with the arrays of one image, and
`probe.json` with the batch size. One line of JSON on standard output is
the result. A process of its own gives its memory back, and may be killed without harm.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from odapi.config.load import FILE_NAME, Config, load_config, save_config
from odapi.fields import REQUIRED

_SAMPLE, _SETTINGS = "sample.npz", "probe.json"
_STEPS = 3  # The first compiles.
_POLL_SECONDS = 0.1
# GPU memory is taken as needed, instead of most of it at the start.
_ENVIRONMENT = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}

Arrays = Mapping[str, np.ndarray]


class Sample(NamedTuple):
    """Inputs and groundtruth of one image, arrays `[1, ...]` by name."""

    x: Arrays
    y: Arrays


class Measured(NamedTuple):
    """Memory of a process that trained some steps.

    Args:
        batch_size: Images per update.
        peak: Largest memory, in bytes.
        before: Memory before the first step, with the model and the optimizer.
        seconds: Time of the last step.
    """

    batch_size: int
    peak: int
    before: int
    seconds: float


def measure(
    config: Config, sample: Sample, batch_size: int, limit: int
) -> Measured | None:
    """Trains some steps in another process, which is killed above a limit.

    Args:
        config: The config of the training.
        sample: An image, of which the batch is made.
        batch_size: Images per update.
        limit: Largest resident memory of the process, in bytes.

    Returns:
        What was measured; None if the memory did not suffice.

    Raises:
        RuntimeError: The steps failed for another reason.
    """
    with tempfile.TemporaryDirectory(prefix="odapi-probe-") as name:
        folder = pathlib.Path(name)
        save_config(config, folder / FILE_NAME)
        arrays = {f"x/{k}": v for k, v in sample.x.items()}
        arrays |= {f"y/{k}": v for k, v in sample.y.items()}
        np.savez(folder / _SAMPLE, **arrays)  # type: ignore[arg-type]
        (folder / _SETTINGS).write_text(json.dumps({"batch_size": batch_size}))
        return _run(folder, limit)


def _run(folder: pathlib.Path, limit: int) -> Measured | None:
    import keras

    environment = {
        **_ENVIRONMENT,
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
    }
    command = [sys.executable, "-m", __name__, str(folder)]
    errors = folder / "errors.txt"
    with errors.open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        try:
            is_within = _watched(process, limit)
        finally:
            process.kill()
            output, _ = process.communicate()
    if not is_within:
        return None
    if process.returncode == 0:
        return Measured(**json.loads(output.splitlines()[-1]))
    text = errors.read_text()
    if process.returncode == -9 or _is_out_of_memory(text):
        return None
    raise RuntimeError(f"steps at a batch size failed: {text.strip()[-2000:]}")


def _watched(process: "subprocess.Popen[str]", limit: int) -> bool:
    """Waits for the process; returns False as soon as it has more memory."""
    from odapi.runtime.memory import resident

    while process.poll() is None:
        if (resident(process.pid) or 0) > limit:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_out_of_memory(text: str) -> bool:
    lower = text.lower()
    return any(
        sign in lower
        for sign in ("resource_exhausted", "out of memory", "memoryerror", "oom when")
    )


def _main(folder: pathlib.Path) -> None:
    with contextlib.suppress(OSError):  # If memory ends, this process ends first.
        pathlib.Path("/proc/self/oom_score_adj").write_text("1000")
    from odapi.data.loader.malloc import keep_freed_memory
    from odapi.runtime import backend

    keep_freed_memory()  # As a training does.
    backend.load()
    settings = json.loads((folder / _SETTINGS).read_text())
    measured = _measured(folder, settings["batch_size"])
    sys.stdout.write(json.dumps(measured._asdict()) + "\n")


def _measured(folder: pathlib.Path, batch_size: int) -> Measured:
    import keras

    from odapi.build.detector import build_detector
    from odapi.build.optimizer import build_optimizer
    from odapi.runtime.memory import peak
    from odapi.training.accumulation import accumulate
    from odapi.training.parts import freeze_named, plan_of

    config = load_config(folder / FILE_NAME)
    detector = build_detector(config)
    freeze_named(config, detector)
    detector.compile(optimizer=build_optimizer(config).optimizer)
    accumulate(detector, plan_of(config).accumulation)
    before = peak() or 0
    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.monotonic())
    )
    fields = (*REQUIRED, "valid", "weights", *detector.groundtruth_fields)
    batches = _batches(folder / _SAMPLE, batch_size, fields)
    detector.fit(batches, steps_per_epoch=_STEPS, callbacks=[clock], verbose=0)
    return Measured(batch_size, peak() or 0, before, times[-1] - times[-2])


def _batches(
    file: pathlib.Path, batch_size: int, fields: Collection[str]
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    arrays = dict(np.load(file))

    def batch(prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): np.repeat(value, batch_size, axis=0)
            for name, value in arrays.items()
            if name.startswith(prefix)
        }

    while True:
        truth = batch("y/")
        yield batch("x/"), {name: truth[name] for name in truth if name in fields}


if __name__ == "__main__":
    _main(pathlib.Path(sys.argv[1]))
