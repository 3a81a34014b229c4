"""Inference and training of whole models, compared with the original's figures.

    python -m benchmarks.models                       # writes results/models.md
    python -m benchmarks.models --model fpnlite_320 --dry-run

Everything runs in separate processes, on one core and on two, with the same image
repeatedly, as the original was timed. Inference is the exported SavedModel, batch
1, from an image of the model's size to detections, with the golden weights, whose
scores differ as those of a trained model do; the share of post-processing is what it
takes beyond resizing, backbone, pyramid and heads (proposals and both stages, of a
two-stage model), both taken in turns. A training step has forward, backward, clipping
and update. The original's figures come from another day on the same kind of machine
(shared/golden/timing.json): ratios to them say how much, not how many percent.
"""

import argparse
import dataclasses
import json
import pathlib
import time

START = time.perf_counter()  # Before anything heavy is imported.

from benchmarks.processes import RESULTS, SHARED, in_process, table, tell  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the zoo, and the batch with which the original was timed."""

    config: str
    batch: int
    folder: pathlib.Path = SHARED / "configs" / "tf2"

    @property
    def path(self) -> pathlib.Path:
        return self.folder / f"{self.config}.config"


MODELS = {
    "ssd_mobilenet_v2_320": Model("ssd_mobilenet_v2_320x320_coco17_tpu-8", 4),
    "fpnlite_320": Model("ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8", 4),
    "retinanet_r50_640": Model("ssd_resnet50_v1_fpn_640x640_coco17_tpu-8", 2),
    "efficientdet_d0_512": Model("ssd_efficientdet_d0_512x512_coco17_tpu-8", 4),
    "centernet_r50_kpts_512": Model(
        "centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8", 4
    ),
    "faster_rcnn_r50_640": Model("faster_rcnn_resnet50_v1_640x640_coco17_tpu-8", 2),
}
_RETINANET = "retinanet_r50_640"
_THREADS = (1, 2)
_FIRST_STEPS = ("tensorflow", "jax")


def main() -> None:
    args = _arguments()
    if args.row:
        from benchmarks import models_rows

        model = MODELS[args.model]
        tell(models_rows.ROWS[args.row](model.path, model.batch, args.runs, START))
        return
    names = [args.model] if args.model else list(MODELS)
    measured = {}
    for name in names:
        measured[name] = _measure(name, args.runs)
        print(json.dumps({name: measured[name]}, indent=2), flush=True)
    text = _report(measured)
    if args.kerashub and _RETINANET in measured:
        text += _beside_kerashub(measured[_RETINANET], args.kerashub, args.runs)
    print(text)
    if not args.dry_run:
        (RESULTS / "models.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=list(MODELS), help="all by default")
    parser.add_argument("--runs", type=int, default=12, help="calls a row")
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--kerashub", help="Python of an environment with KerasHub")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(name: str, runs: int) -> dict:
    """Returns all measurements of a model, by row and number of threads."""
    found = {}
    for threads in _THREADS:
        for row in ("infer", "train"):
            options = {"row": row, "model": name, "runs": runs}
            found[f"{row} {threads}"] = in_process(
                "benchmarks.models", options, threads=threads
            )
    for backend in _FIRST_STEPS:
        options = {"row": "first step", "model": name, "runs": 1}
        found[f"first step {backend}"] = in_process(
            "benchmarks.models", options, backend
        )
    return found


def _original(config: str, what: str, cores: int) -> float | None:
    """Returns the original's median milliseconds."""
    key = (what, config, cores)
    stored = json.loads((SHARED / "golden" / "timing.json").read_text())
    for row in stored["results"]:
        if (row["what"], row.get("config"), row.get("cores", 2)) == key:
            return 1e3 * row["median_s"]
    return None


def _report(measured: dict[str, dict]) -> str:
    return (
        "# Models\n\n`python -m benchmarks.models`: medians. Ratios are the speed-up "
        "over the stored figures of\nthe TF Object Detection API (the original).\n\n"
        "## Inference, batch 1, exported SavedModel\n\n"
        + _inference(measured)
        + "\nThe rate is that of the network alone, as a share of the FLOP/s that a "
        "plain 3 x 3 convolution\n(256 channels, 64 x 64) reaches in the same process."
        "\n\n## Training step\n\n"
        + _training(measured)
        + "\n## Seconds from the command to the first training step, two cores\n\n"
        + _first_steps(measured)
    )


def _inference(measured: dict[str, dict]) -> str:
    head = ["model, cores", "ms", "images/s", "original, ms", "ratio"]
    head += ["post-processing", "GFLOP", "rate", "peak GB"]
    rows = []
    for name, found in measured.items():
        for threads in _THREADS:
            row = found[f"infer {threads}"]
            theirs = _original(MODELS[name].config, "infer", threads)
            rows.append(
                [
                    f"{name}, {threads}",
                    f"{row['ms']:.1f}",
                    f"{1e3 / row['ms']:.1f}",
                    *_ratio(theirs, row["ms"]),
                    f"{1 - row['network'] / row['ms']:.0%}",
                    f"{row['gflop']:.1f}",
                    f"{row['rate']:.0%}",
                    f"{row['peak']:.1f}",
                ]
            )
    return table(head, rows)


def _training(measured: dict[str, dict]) -> str:
    head = ["model, cores", "batch", "ms", "images/s", "original, ms", "ratio"]
    rows = []
    for name, found in measured.items():
        for threads in _THREADS:
            row, batch = found[f"train {threads}"], MODELS[name].batch
            theirs = _original(MODELS[name].config, "train", threads)
            rows.append(
                [
                    f"{name}, {threads}",
                    str(batch),
                    f"{row['ms']:.0f}",
                    f"{1e3 * batch / row['ms']:.1f}",
                    *_ratio(theirs, row["ms"]),
                    f"{row['peak']:.1f}",
                ]
            )
    return table([*head, "peak GB"], rows)


def _first_steps(measured: dict[str, dict]) -> str:
    head = ["model", "backend", "import", "build", "trace, compile, step", "total"]
    rows = []
    for name, found in measured.items():
        for backend in _FIRST_STEPS:
            row = found[f"first step {backend}"]
            if row is not None:
                parts = [row["import"], row["build"], row["first"]]
                cells = [f"{s:.1f}" for s in (*parts, sum(parts))]
                rows.append([name, backend, *cells])
    return table(head, rows)


def _beside_kerashub(ours: dict, python: str, runs: int) -> str:
    """Times KerasHub's RetinaNet R50 in its own environment, in the same run."""
    rows = []
    for what, batch in (("infer", 1), ("train", MODELS[_RETINANET].batch)):
        for threads in _THREADS:
            theirs = in_process(
                "benchmarks.models_kerashub",
                {"row": what, "batch": batch, "runs": runs},
                threads=threads,
                python=python,
            )["ms"]
            ms = ours[f"{what} {threads}"]["ms"]
            cells = [f"{ms:.0f}", f"{theirs:.0f}", f"{theirs / ms:.2f}"]
            rows.append([f"{what}, batch {batch}, cores {threads}", *cells])
    head = ["RetinaNet R50 640", "odapi, ms", "KerasHub, ms", "ratio"]
    return "\n## Comparison with KerasHub\n\n" + table(head, rows)


def _ratio(theirs: float | None, ours: float) -> list[str]:
    return ["-", "-"] if theirs is None else [f"{theirs:.0f}", f"{theirs / ours:.2f}"]


if __name__ == "__main__":
    main()
