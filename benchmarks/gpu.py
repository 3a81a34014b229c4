"""Training and inference on an accelerator in bfloat16, on JAX and on torch.

    python -m benchmarks.gpu                     # writes results/gpu.md
    python -m benchmarks.gpu --backend jax --model retinanet_r50_640 --dry-run

Needs no TensorFlow and no OpenCV: a CUDA image with JAX or torch, and keras, protobuf,
h5py, ml_dtypes and rich. Each row runs in a process of its own. A step is what `fit`
does, on a batch that stays; inference is `detect`, boxes and suppression included. The
share of the card is that of the FLOP/s that a bfloat16 matrix product of 8192 x 8192
reaches in the same process, with three times the forward pass for a step. Beside ours
stand torchvision's RetinaNet, Faster R-CNN and Mask R-CNN, all R50-FPN and under
autocast, where torchvision is there.
"""

import argparse
import importlib.util
import json
import time

START = time.perf_counter()

from benchmarks.models import MODELS, Model  # noqa: E402
from benchmarks.processes import RESULTS, in_process, table, tell  # noqa: E402

BACKENDS = ("jax", "torch")
THEIRS = {
    "retinanet_r50_640": "torchvision retinanet_resnet50_fpn",
    "faster_rcnn_r50_fpn_640": "torchvision fasterrcnn_resnet50_fpn",
    "mask_rcnn_r50_fpn_640": "torchvision maskrcnn_resnet50_fpn",
}
ALL = MODELS | {
    "faster_rcnn_r50_fpn_640": Model(
        "faster_rcnn_resnet50_v1_fpn_640x640_coco17_tpu-8", 2
    ),
}
_HEAD = ["model", "batch", "step, ms", "images/s", "share of the card"]
_HEAD += ["inference, ms", "images/s", "first step, s", "peak GB"]


def main() -> None:
    args = _arguments()
    if args.row:
        from benchmarks import gpu_rows

        tell(gpu_rows.measure(args.row, args.batch, args.runs, START))
        return
    backends = (args.backend,) if args.backend else BACKENDS
    names = [args.model] if args.model else list(ALL)
    rows, device = [], ""
    for backend in backends:
        theirs = []
        if backend == "torch" and _has("torchvision"):
            theirs = [THEIRS[name] for name in names if name in THEIRS]
        for name in [*names, *theirs]:
            options = {"row": name, "batch": args.batch, "runs": args.runs}
            found = in_process("benchmarks.gpu", options, backend, threads=10**6)
            if found is None:
                print(f"{backend}: skipped, not installed")
                break
            print(json.dumps({f"{name} on {backend}": found}), flush=True)
            rows.append(_cells(f"{name}, {backend}", args.batch, found))
            device = found["device"]
    text = f"# On an accelerator\n\n`python -m benchmarks.gpu`, {device}, bfloat16.\n\n"
    text += table(_HEAD, rows)
    print(text)
    if not args.dry_run:
        (RESULTS / "gpu.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=BACKENDS, help="both by default")
    parser.add_argument("--model", choices=list(ALL), help="all by default")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--runs", type=int, default=30, help="steps and calls a row")
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _cells(name: str, batch: int, found: dict) -> list[str]:
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
    ]


if __name__ == "__main__":
    main()
