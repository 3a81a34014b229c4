"""The measurements of `benchmarks.models`, each in a process of its own."""

import pathlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.processes import SHARED, in_turns, median_ms
from benchmarks.step_clock import timed_fit

_OBJECTS, _MAX_OBJECTS, _KEYPOINTS = 7, 100, 17


def infer(config: pathlib.Path, batch: int, runs: int, start: float) -> dict:
    """The exported model, its network alone, and what share of FLOP/s that reaches."""
    import tensorflow as tf

    import odapi
    from benchmarks.inference import network
    from benchmarks.parity_golden import GoldenFolder
    from benchmarks.parity_inputs import fill
    from odapi.build.resizer import model_resizer
    from odapi.exporters.saved_model import graph_inputs
    from odapi.exporters.saved_model.frozen_function import FrozenFunction
    from odapi.exporters.saved_model.saved_model_writer import write_saved_model
    from odapi.zoo.names.detector_keys import detector_keys

    loaded = load(config)
    detector = odapi.build_detector(loaded, seed=0)
    resizer = model_resizer(loaded)
    # New weights score all anchors alike, which no trained model does: suppression
    # then has to look at ten times as many.
    fill(GoldenFolder(SHARED / "golden"), detector, detector_keys(detector))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "saved_model")
        write_saved_model(detector, resizer, path)
        exported = tf.saved_model.load(str(path))
    image = tf.constant(_photograph(*detector.image_size))
    alone = network(detector, lambda images: graph_inputs.resize(resizer, images)[0])
    alone = alone.get_concrete_function(tf.TensorSpec(image.shape, image.dtype))
    frozen = FrozenFunction(alone)  # As in the export.
    ms, network_ms = in_turns(
        runs, lambda: exported(image), lambda: frozen(images=image)
    )
    flop = _float_operations(alone.graph)
    return {
        "ms": ms,
        "network": network_ms,
        "gflop": flop / 1e9,
        "rate": flop / network_ms / _plain_convolution(runs),
        "peak": _peak_gigabytes(),
    }


def train(config: pathlib.Path, batch: int, runs: int, start: float) -> dict:
    """A training step, compiled as `fit` compiles it, on a batch that stays."""
    from odapi.data.loader.malloc import keep_freed_memory

    keep_freed_memory()  # As the command does.
    times = fit(config, batch, steps=3 + max(3, runs // 2), start=start)
    return {"ms": 1e3 * float(np.median(times["steps"][3:])), "peak": _peak_gigabytes()}


def first_step(config: pathlib.Path, batch: int, runs: int, start: float) -> dict:
    """Returns what a user waits for before the first step is done."""
    times = fit(config, batch, steps=1, start=start)
    return {k: times[k] for k in ("import", "build", "first")}


def fit(
    config: pathlib.Path,
    batch: int,
    steps: int,
    start: float,
    overrides: Sequence[str] = (),
) -> dict:
    """Trains on one batch; returns seconds of imports, building and each step."""
    import odapi
    from odapi.build.optimizer import build_optimizer

    imported = time.perf_counter()
    loaded = load(config, overrides)
    detector = odapi.build_detector(loaded, seed=0)
    optimizer, _ = build_optimizer(loaded)
    built = time.perf_counter()
    detector.compile(optimizer=optimizer)
    made = timed_fit(detector, batches(detector, batch), steps)
    seconds = [step.seconds for step in made]
    return {
        "import": imported - start,
        "build": built - imported,
        "first": seconds[0],
        "steps": seconds,
    }


def batches(detector, batch: int):
    """Yields the same batch of noise and boxes again and again, as `fit` takes it."""
    import keras

    height, width = detector.image_size
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.5, (batch, _MAX_OBJECTS, 2))
    high = low + rng.uniform(0.05, 0.4, low.shape)
    x = {"images": _images(batch, height, width)}  # Nothing is padded at these sizes.
    y = {
        "boxes": np.concatenate([low, high], -1).astype(np.float32),
        "classes": rng.integers(
            detector.num_classes, size=(batch, _MAX_OBJECTS), dtype=np.int32
        ),
        "valid": np.tile(np.arange(_MAX_OBJECTS) < _OBJECTS, (batch, 1)),
        "weights": np.ones((batch, _MAX_OBJECTS), np.float32),
    }
    if "keypoints" in detector.groundtruth_fields:
        shape = (batch, _MAX_OBJECTS, _KEYPOINTS, 2)
        share = rng.uniform(size=shape).astype(np.float32)
        low, high = y["boxes"][:, :, None, :2], y["boxes"][:, :, None, 2:]
        y["keypoints"] = low + share * (high - low)
    if "masks" in detector.groundtruth_fields:
        y["masks"] = _filled(y["boxes"], height, width)
    if keras.backend.backend() != "tensorflow":  # Whose `fit` takes arrays.
        x, y = keras.tree.map_structure(keras.ops.convert_to_tensor, (x, y))
    while True:
        yield x, y


def _filled(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns masks `[b, n, h, w]` uint8 that fill boxes."""
    rows = (np.arange(height) + 0.5) / height
    columns = (np.arange(width) + 0.5) / width
    y_min, x_min, y_max, x_max = np.moveaxis(boxes, -1, 0)[..., None]
    inside_rows = (rows >= y_min) & (rows < y_max)
    inside_columns = (columns >= x_min) & (columns < x_max)
    return (inside_rows[..., None] & inside_columns[..., None, :]).astype(np.uint8)


def load(config: pathlib.Path, overrides: Sequence[str] = ()):
    """Returns a config, with the names of keypoints where it has some."""
    import odapi

    loaded = odapi.load_config(config, overrides)
    if loaded.model.center_net.keypoint_estimation_task:
        names = SHARED / "golden" / "aux" / "keypoint_label_map.pbtxt"
        loaded.model.center_net.keypoint_label_map_path = str(names)
    return loaded


def _images(batch: int, height: int, width: int) -> np.ndarray:
    shape = (batch, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _photograph(height: int, width: int) -> np.ndarray:
    import cv2

    file = SHARED / "data" / "images" / "image1.jpg"
    return cv2.resize(cv2.imread(str(file))[..., ::-1], (width, height))[None]


def _float_operations(graph) -> int:
    """Counts multiplications and additions; a multiply-add is two."""
    import tensorflow as tf

    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


def _plain_convolution(runs: int) -> float:
    """Returns the floating-point operations a millisecond of a convolution."""
    import tensorflow as tf

    side, channels = 64, 256
    x = tf.random.normal((1, side, side, channels))
    kernel = tf.random.normal((3, 3, channels, channels))
    conv = tf.function(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"))
    return 2 * 9 * (side * channels) ** 2 / median_ms(lambda: conv(x), runs)


def _peak_gigabytes() -> float:
    unit = 1024**2 if sys.platform == "linux" else 1024**3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


ROWS: dict[str, Callable[[pathlib.Path, int, int, float], dict]] = {
    "infer": infer,
    "train": train,
    "first step": first_step,
}
