"""Training and inference on an accelerator in bfloat16, on JAX and on torch.

    python -m benchmarks.gpu                     # writes results/gpu.md
    python -m benchmarks.gpu --backend jax --models retinanet_r50_640 --dry-run

Needs no TensorFlow and no OpenCV: a CUDA image with JAX or torch, and keras, protobuf,
h5py, ml_dtypes and rich. Each row runs in a process of its own. A step is what `fit`
does, on a batch that stays; inference is `detect`, boxes and suppression included. The
share of the card is that of the FLOP/s that a bfloat16 matrix product of 8192 x 8192
reaches in the same process, with three times the forward pass for a step. Beside ours
stand torchvision's RetinaNet, Faster R-CNN and Mask R-CNN, all R50-FPN and under
autocast, where torchvision is there. `--compile-ahead` shortens the run where the card
is rented: JAX then finds its programs compiled, and first steps are those of a second
start.
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

START = time.perf_counter()

from benchmarks.models import MODELS, Model  # noqa: E402
from benchmarks.processes import RESULTS, ROOT, in_process, table, tell  # noqa: E402

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
    "mask_rcnn_r50_fpn_640": Model(
        "mask_rcnn_resnet50_v1_fpn_640x640", 2, ROOT / "recipes"
    ),
}
_HEAD = ["model", "batch", "step, ms", "images/s", "share of the card"]
_HEAD += ["inference, ms", "images/s", "first step, s", "peak GB"]


def main() -> int:
    args = _arguments()
    if args.row:
        from benchmarks import gpu_rows

        tell(gpu_rows.measure(args.row, args.batch, args.runs, START))
        return 0
    backends = (args.backend,) if args.backend else BACKENDS
    if args.compile_ahead and "jax" in backends:
        _compile_ahead(args)
    found = {}
    for backend in backends:
        for name in _rows(args.models, backend):
            row = f"{name}, {backend}"
            found[row] = _measured(name, args, backend)
            print(json.dumps({row: found[row]}), flush=True)
            text = _report(found, args.batch)
            if not args.dry_run:  # After each row: what was measured is kept.
                (RESULTS / "gpu.md").write_text(text)
    print(text)
    return int(any("error" in row for row in found.values()))


def _compile_ahead(args: argparse.Namespace) -> None:
    """Fills JAX's cache of compiled programs, for some models at a time."""
    folder = tempfile.mkdtemp(prefix="compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    # So that several fit into the memory of the card.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    once = argparse.Namespace(batch=args.batch, runs=1)
    with ThreadPoolExecutor(args.compile_ahead) as pool:
        list(pool.map(lambda name: _measured(name, once, "jax"), args.models))


def _rows(models: list[str], backend: str) -> list[str]:
    """Returns our models, each with torchvision's beside it where there is one."""
    theirs = THEIRS if backend == "torch" and _has("torchvision") else {}
    pairs = [(name, theirs.get(name)) for name in models]
    return [row for pair in pairs for row in pair if row]


def _measured(name: str, args: argparse.Namespace, backend: str) -> dict:
    options = {"row": name, "batch": args.batch, "runs": args.runs}
    try:
        found = in_process("benchmarks.gpu", options, backend, threads=10**6)
    except RuntimeError as error:
        return {"error": str(error)}
    return found or {"error": f"{backend} is not installed"}


def _report(found: dict[str, dict], batch: int) -> str:
    devices = {row["device"] for row in found.values() if "device" in row}
    text = f"# On an accelerator\n\n`python -m benchmarks.gpu`, {', '.join(devices)}, "
    text += "bfloat16.\n\n"
    good = {name: row for name, row in found.items() if "error" not in row}
    text += table(_HEAD, [_cells(name, batch, row) for name, row in good.items()])
    for name in found.keys() - good.keys():
        text += f"\n{name}: FAILED. {found[name]['error'].splitlines()[-1]}\n"
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
    parser.add_argument(
        "--compile-ahead", type=int, default=0, metavar="N",
        help="compile on JAX first, N models at a time",
    )  # fmt: skip
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
    sys.exit(main())
