"""Speed of the exported model, the network alone, and ONNX Runtime.

    python -m benchmarks.inference   # writes benchmarks/results/inference.md

Batch 1, two threads. "Network alone" is backbone, pyramid and heads on an image of
the input size; the exported model also resizes images, decodes boxes and applies NMS.
Each row runs in its own process; times are medians.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.processes import RESULTS, SHARED, in_process, median_ms, table, tell

_CONFIG = "configs/tf2/ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.config"
_IMAGE = (480, 640)  # Of the image that is sent to the exported model.


def main() -> None:
    args = _arguments()
    if args.row:
        tell(_ROWS[args.row](args))
        return
    with tempfile.TemporaryDirectory() as folder:
        args.folder = pathlib.Path(folder)
        _in_process(args, "prepare")
        names = [n for n in _ROWS if n != "prepare"]
        rows = {name: _in_process(args, name) for name in names}
        starts = [_in_process(args, "start") for _ in range(3)]
        rows["start"] = {k: float(np.median([s[k] for s in starts])) for k in starts[0]}
        text = _report(rows, args)
    args.output.write_text(text)
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=pathlib.Path, default=SHARED / _CONFIG)
    parser.add_argument("--runs", type=int, default=60, help="calls measured a row")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "inference.md")
    parser.add_argument("--row", choices=sorted(_ROWS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_process(args: argparse.Namespace, row: str) -> dict:
    options = {n: getattr(args, n) for n in ("config", "runs", "threads", "folder")}
    return in_process(
        "benchmarks.inference", {"row": row, **options}, threads=args.threads
    )


def _detector(args: argparse.Namespace):
    import odapi
    from odapi.build.resizer import model_resizer

    config = odapi.load_config(args.config)
    return odapi.build_detector(config, seed=0), model_resizer(config)


def _prepare(args: argparse.Namespace) -> dict:
    """Writes the SavedModel, its ONNX form, and the frozen network alone."""
    from odapi.exporters.saved_model.saved_model_writer import write_saved_model

    detector, resizer = _detector(args)
    start = time.perf_counter()
    write_saved_model(detector, resizer, args.folder / "saved_model")
    seconds = time.perf_counter() - start
    subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--opset", "17"]
        + ["--saved-model", str(args.folder / "saved_model")]
        + ["--signature_def", "serving_default"]
        + ["--output", str(args.folder / "model.onnx")],
        check=True,
        capture_output=True,
    )
    return {"seconds": seconds}


def _image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)


def _network(args: argparse.Namespace, frozen: bool) -> dict:
    import tensorflow as tf

    detector, _ = _detector(args)
    height, width = detector.image_size
    spec = tf.TensorSpec([1, height, width, 3], tf.float32)
    function = network(detector).get_concrete_function(spec)
    if frozen:
        from odapi.exporters.saved_model.frozen_function import FrozenFunction

        function = FrozenFunction(function)
    image = tf.constant(_image(height, width).astype(np.float32))
    return {"ms": median_ms(lambda: function(images=image), args.runs)}


def network(detector: Any, prepare: Callable[[Any], Any] | None = None) -> Any:
    """Returns a tf.function of backbone, pyramid and heads, with named outputs.

    It takes what `prepare` takes, or images of the detector's size.
    """
    import tensorflow as tf

    def call(images: Any) -> dict[str, Any]:
        images = images if prepare is None else prepare(images)
        found = tf.nest.flatten(detector.call({"images": images}))
        return {f"{number:03}": value for number, value in enumerate(found)}

    return tf.function(call, autograph=False)


def _exported(args: argparse.Namespace, resized: bool) -> dict:
    import tensorflow as tf

    detect = tf.saved_model.load(str(args.folder / "saved_model"))
    size = (320, 320) if resized else _IMAGE
    image = tf.constant(_image(*size))
    return {"ms": median_ms(lambda: detect(image), args.runs)}


def _onnx(args: argparse.Namespace) -> dict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(
        str(args.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    load = time.perf_counter() - start
    given = {session.get_inputs()[0].name: _image(*_IMAGE)}
    start = time.perf_counter()
    session.run(None, given)
    first = time.perf_counter() - start
    return {
        "ms": median_ms(lambda: session.run(None, given), args.runs),
        "load": load,
        "first": first,
        "difference": _onnx_difference(args, session, given),
    }


def _onnx_difference(args: argparse.Namespace, session, given) -> float:
    """Largest difference of the raw scores from those of the SavedModel."""
    from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor

    image = next(iter(given.values()))
    expected = SavedModelPredictor(args.folder).outputs(image)
    names = [o.name for o in session.get_outputs()]
    found = dict(zip(names, session.run(None, given), strict=True))
    name = "raw_detection_scores"
    return float(np.abs(found[name] - expected[name]).max())


def _start(args: argparse.Namespace) -> dict:
    """Measures the time of a service until its first prediction."""
    start = time.perf_counter()
    import tensorflow as tf

    imported = time.perf_counter()
    detect = tf.saved_model.load(str(args.folder / "saved_model"))
    loaded = time.perf_counter()
    detect(tf.constant(_image(*_IMAGE)))
    done = time.perf_counter()
    return {
        "import": imported - start,
        "load": loaded - imported,
        "first": done - loaded,
    }


_ROWS = {
    "prepare": _prepare,
    "network": lambda args: _network(args, frozen=True),
    "network, weights as variables": lambda args: _network(args, frozen=False),
    "exported": lambda args: _exported(args, resized=False),
    "exported, resized": lambda args: _exported(args, resized=True),
    "onnx": _onnx,
    "start": _start,
}


def _report(rows: dict[str, dict], args: argparse.Namespace) -> str:
    network = rows["network"]["ms"]
    height, width = _IMAGE
    shown = {
        f"exported SavedModel, uint8 {height} x {width} to detections": "exported",
        "exported SavedModel, image of the model's input size": "exported, resized",
        "network alone, weights as constants": "network",
        "network alone, weights as variables": "network, weights as variables",
        f"ONNX Runtime, the same SavedModel, uint8 {height} x {width}": "onnx",
    }
    cells = [
        [label, f"{rows[name]['ms']:.1f}", f"{rows[name]['ms'] / network:.2f}"]
        for label, name in shown.items()
    ]
    start, onnx = rows["start"], rows["onnx"]
    starts = [
        [
            f"SavedModel (importing TensorFlow: {start['import']:.1f} s more)",
            *_seconds(start),
        ],
        ["ONNX Runtime", *_seconds(onnx)],
    ]
    return (
        "# Inference of the exported model\n\n"
        "Generated by `python -m benchmarks.inference`. Batch 1, "
        f"{args.threads} threads, {args.config.stem}, untrained weights.\n\n"
        + table(["measurement", "ms, median", "relative to the network"], cells)
        + "\n"
        + table(["process", "load, s", "first prediction, s", "together, s"], starts)
        + f"\nRaw scores of ONNX Runtime differ by at most {onnx['difference']:.1g}.\n"
    )


def _seconds(row: dict) -> list[str]:
    return [f"{s:.2f}" for s in (row["load"], row["first"], row["load"] + row["first"])]


if __name__ == "__main__":
    main()
