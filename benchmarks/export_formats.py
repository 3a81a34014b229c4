"""Latency of exported formats, for models of all families, beside our SavedModel.

    python -m benchmarks.export_formats            # writes results/export_formats.md
    python -m benchmarks.export_formats --models ssd_mobilenet_v2_320 --dry-run

Weights are random, with a scale at which scores differ; latency does not depend on
them, but for the number of boxes that NMS compares. A call takes a photo and returns
detections: resizing and NMS count. The files of a model take turns.
"""

import argparse
import pathlib
import tempfile

import numpy as np

import odapi
from benchmarks.processes import RESULTS, SHARED, table
from benchmarks.spread_weights import spread_weights
from odapi.errors import OdapiError
from odapi.inference.image_files import find_images, read_images
from odapi.runtime.cpu import num_cpus, processor
from odapi.timing.benchmark import benchmark

_CONFIGS = SHARED / "configs" / "tf2"
_MODELS = {
    "ssd_mobilenet_v2_320": "ssd_mobilenet_v2_320x320_coco17_tpu-8",
    "fpnlite_320": "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8",
    "efficientdet_d0_512": "ssd_efficientdet_d0_512x512_coco17_tpu-8",
    "retinanet_r50_640": "ssd_resnet50_v1_fpn_640x640_coco17_tpu-8",
    "centernet_r50_512": "centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8",
    "faster_rcnn_r50_640": "faster_rcnn_resnet50_v1_640x640_coco17_tpu-8",
}
_FILES = (
    ("saved_model", "float32"),
    ("tflite", "float32"),
    ("tflite", "int8"),
    ("onnx", "float32"),
    ("onnx", "int8"),
    ("openvino", "float32"),
    ("openvino", "int8"),
)
_PHOTOS = SHARED / "data" / "bccd" / "JPEGImages"


def main() -> None:
    args = _arguments()
    rows = []
    for model in args.models:
        rows += _measure(model, args)
        print(*rows[-1])
    text = _report(rows, args)
    print(text)
    if not args.dry_run:
        (RESULTS / "export_formats.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=_MODELS, default=list(_MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    return parser.parse_args()


def _measure(model: str, args: argparse.Namespace) -> list[list[str]]:
    """Returns one row per file: model, format, size, latency, ratio."""
    detector = odapi.build_detector(odapi.load_config(_config(model)), seed=0)
    spread_weights(detector)
    held = odapi.ObjectDetector.from_keras(detector)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for format, precision in _FILES:
            try:
                done = held.export(
                    pathlib.Path(folder) / f"{format}_{precision}",
                    format=format,
                    precision=precision,
                    untrained=True,
                    calibration_data=f"voc:{_PHOTOS.parent}?split=val",
                    calibration_images=8,
                )
            except OdapiError as error:
                print(model, format, precision, error)
                rows.append([model, f"{format} {precision}", "refused", "", "", ""])
                continue
            files[done.files[0].path] = (format, precision, done.files[0].megabytes)
        found = benchmark(
            list(files),
            _photos(),
            threads=[num_cpus()],
            rounds=args.rounds,
            seconds=args.seconds,
        )
        latency = {pathlib.Path(row.model): row for row in found.timings}
        first = latency[next(iter(files))].p50_ms
        for path, (format, precision, megabytes) in files.items():
            row = latency[path]
            rows.append(
                [
                    model,
                    f"{format} {precision}",
                    f"{megabytes:.1f}",
                    f"{row.p50_ms:.1f}",
                    f"{row.spread:.0%}",
                    f"{row.p50_ms / first:.2f}",
                ]
            )
    return rows


def _config(model: str) -> pathlib.Path:
    return _CONFIGS / f"{_MODELS[model]}.config"


def _photos() -> list[np.ndarray]:
    read = read_images(find_images([str(_PHOTOS)])[:8])
    return [row.image for row in read if row.image is not None]


def _report(rows: list[list[str]], args: argparse.Namespace) -> str:
    head = ["model", "file", "MB", "ms, median", "spread", "to the SavedModel"]
    return (
        "# Latency of exported formats\n\n`python -m benchmarks.export_formats`\n\n"
        f"{processor()}; {num_cpus()} cores, one image of 480 x 640 per call, with\n"
        f"resizing and NMS; {args.rounds} rounds of {args.seconds:g} s, in turns. "
        "Random weights.\n\n" + table(head, rows)
    )


if __name__ == "__main__":
    main()
