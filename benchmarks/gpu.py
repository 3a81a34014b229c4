"""Training and inference on an accelerator in bfloat16, on JAX and on torch.

    python -m benchmarks.gpu                     # writes results/gpu.md
    python -m benchmarks.gpu --backend jax --models retinanet_r50_640 --dry-run

Needs no TensorFlow and no OpenCV: a CUDA image with JAX or torch, and keras, protobuf,
h5py, ml_dtypes and rich. Each row runs in a process of its own. A step is what `fit`
does, on a batch that stays; inference is `detect`, including box decoding and NMS. The
share of the card is that of the FLOP/s that a bfloat16 matrix product of 8192 x 8192
reaches in the same process, with three times the forward pass for a step. Beside ours
stand torchvision's RetinaNet, Faster R-CNN and Mask R-CNN, all R50-FPN and under
autocast, where torchvision is there. A card may be rented for less than all rows take,
a minute and more of it compiling on JAX: each is stored at once, in results/gpu.json,
and stays there with `--keep`.
"""

import argparse
import datetime
import importlib.util
import json
import sys
import time

START = time.perf_counter()

from benchmarks.models import MODELS, Model  # noqa: E402
from benchmarks.processes import RESULTS, ROOT, in_process, table, tell  # noqa: E402

BACKENDS = ("jax", "torch")
_STORE = RESULTS / "gpu.json"
THEIRS = {
    "retinanet_r50_640": "torchvision retinanet_resnet50_fpn",
    "faster_rcnn_r50_fpn_640": "torchvision fasterrcnn_resnet50_fpn",
    "mask_rcnn_r50_fpn_640": "torchvision maskrcnn_resnet50_fpn",
}
ALL = MODELS | {
    "faster_rcnn_r50_fpn_640": Model(
        "faster_rcnn_resnet50_v1_fpn_640x640_coco17_tpu-8", 2
    ),
    "mask_rcnn_r50_fpn_640": Model(
        "mask_rcnn_resnet50_v1_fpn_640x640", 2, ROOT / "recipes"
    ),
}
_HEAD = ["model", "batch", "step, ms", "images/s", "share of the card"]
_HEAD += ["inference, ms", "images/s", "first step, s", "peak GB", "day"]


def main() -> int:
    args = _arguments()
    if args.row:
        from benchmarks import gpu_rows

        tell(gpu_rows.measure(args.row, args.batch, args.runs, START))
        return 0
    backends = (args.backend,) if args.backend else BACKENDS
    found = _stored() if args.keep else {}
    for backend in backends:
        for name in _rows(args.models, backend):
            row, measured = f"{name}, {backend}", _measured(name, args, backend)
            if measured is None:
                print(f"{backend}: skipped, not installed")
                break
            found[row] = measured
            print(json.dumps({row: measured}), flush=True)
            if not args.dry_run:
                _STORE.write_text(json.dumps(found, indent=1) + "\n")
    text = _report(found)
    print(text)
    if not args.dry_run:
        (RESULTS / "gpu.md").write_text(text)
    return int(any("error" in row for row in found.values()))


def _stored() -> dict[str, dict]:
    return json.loads(_STORE.read_text()) if _STORE.exists() else {}


def _rows(models: list[str], backend: str) -> list[str]:
    """Returns our models, each with torchvision's beside it where there is one."""
    theirs = THEIRS if backend == "torch" and _has("torchvision") else {}
    pairs = [(name, theirs.get(name)) for name in models]
    return [row for pair in pairs for row in pair if row]


def _measured(name: str, args: argparse.Namespace, backend: str) -> dict | None:
    """Returns a row, also of a failure; None: the backend is not installed."""
    options = {"row": name, "batch": args.batch, "runs": args.runs}
    try:
        found = in_process("benchmarks.gpu", options, backend, threads=10**6)
    except RuntimeError as error:
        found = {"error": str(error)}
    if found is None:
        return None
    return {"day": f"{datetime.date.today()}", "batch": args.batch, **found}


def _report(found: dict[str, dict]) -> str:
    devices = {row["device"] for row in found.values() if "device" in row}
    text = (
        f"# Accelerator benchmark\n\n`python -m benchmarks.gpu`, {', '.join(devices)}, "
    )
    text += "bfloat16.\n\n"
    good = {name: row for name, row in found.items() if "error" not in row}
    text += table(_HEAD, [_cells(name, row) for name, row in good.items()])
    for name, row in found.items():
        if "error" in row:
            text += f"\n{name}: FAILED. {row['error'].splitlines()[-1]}\n"
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=BACKENDS, help="both by default")
    parser.add_argument(
        "--models", choices=list(ALL), nargs="+", default=list(ALL), metavar="MODEL",
        help=f"all by default: {', '.join(ALL)}",
    )  # fmt: skip
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--runs", type=int, default=30, help="steps and calls a row")
    parser.add_argument("--keep", action="store_true", help="keep rows of other runs")
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _cells(name: str, found: dict) -> list[str]:
    batch = found["batch"]
    return [
        name,
        str(batch),
        f"{found['step']:.1f}",
        f"{1e3 * batch / found['step']:.0f}",
        f"{found['share']:.1%}",
        f"{found['infer']:.1f}",
        f"{1e3 * batch / found['infer']:.0f}",
        f"{found['first']:.1f}",
        f"{found['peak']:.1f}",
        found["day"],
    ]


if __name__ == "__main__":
    sys.exit(main())
