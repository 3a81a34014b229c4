"""mAP of training in bfloat16 on a CPU against float32, over several seeds.

    python -m benchmarks.precision_learning       # writes results/precision_learning.md
    python -m benchmarks.precision_learning --seeds 2 --steps 300

Trains the detector of `odapi quickstart`, with dense convolutions in its pyramid and
its heads, so that the rule of `layers.reduced_precision` lowers most of the arithmetic,
in each format from the same weights with the same batches, and evaluates 400 held-out
images, whose objects are in no training image. Finished trainings are kept in
runs/precision_learning, so that the command goes on where it was stopped.
"""

import argparse
import json
import statistics

from benchmarks.processes import RESULTS, ROOT, in_process, table, tell
from odapi.runtime.cpu import processor

_FOLDER = ROOT / "runs" / "precision_learning"
_FORMATS = ("FLOAT32", "BFLOAT16")
_TRAIN_IMAGES, _HELD_OUT = 2000, 400
_NAMES = ("mAP", "mAP@.50IOU")
_METRICS = tuple(f"DetectionBoxes_Precision/{name}" for name in _NAMES)


def main() -> None:
    args = _arguments()
    if args.row:
        tell(_train(args.row, args.seed, args.steps))
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    file = _FOLDER / f"steps-{args.steps}.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    for seed in range(args.seeds):
        for name in _FORMATS:
            key = f"{name} {seed}"
            if key not in found:
                options = {"row": name, "seed": seed, "steps": args.steps}
                found[key] = in_process("benchmarks.precision_learning", options)
                file.write_text(json.dumps(found))
            print(key, found[key], flush=True)
    text = _report(found, args)
    print(text)
    if not args.dry_run:
        (RESULTS / "precision_learning.md").write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--dry-run", action="store_true", help="write no file")
    parser.add_argument("--row", choices=_FORMATS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _train(precision: str, seed: int, steps: int) -> dict:
    """Trains and evaluates; returns the metrics and the number of lowered layers."""
    from odapi.runtime import backend

    backend.load()
    import importlib.resources

    import odapi
    from odapi.build.precision import lowered_layers
    from odapi.quickstart.dataset import make_dataset

    data = _FOLDER / "data"
    made = make_dataset(data, "digits", _TRAIN_IMAGES, _HELD_OUT, seed=0)
    base = importlib.resources.files("odapi.quickstart") / "pipeline.config"
    rate = "train_config.optimizer.adam_optimizer.learning_rate"
    config = odapi.load_config(
        base.read_text("utf-8"),
        [
            f"model.ssd.num_classes={len(made.names)}",
            "model.ssd.feature_extractor.use_depthwise=false",
            "model.ssd.box_predictor.weight_shared_convolutional_box_predictor"
            ".use_depthwise=false",
            f"options.train_data=coco:{made.train}",
            f"options.eval_data=coco:{made.val}",
            f"options.seed={seed}",
            f"options.precision={precision}",
            f"train_config.num_steps={steps}",
            f"{rate}.cosine_decay_learning_rate.total_steps={steps}",
        ],
    )
    detector = odapi.build_detector(config, seed=seed)
    layers = lowered_layers(detector)
    folder = _FOLDER / f"{precision}-{seed}"
    odapi.train(config, folder)
    found = odapi.evaluate(folder, output=folder / "evaluation")
    return {name: found.metrics[name] for name in _METRICS} | {"layers": list(layers)}


def _report(found: dict, args: argparse.Namespace) -> str:
    head = ["seed"]
    head += [f"{metric}, {name}" for metric in _NAMES for name in _FORMATS]
    head += [f"{metric}, difference" for metric in _NAMES]
    rows, differences = [], []
    for seed in range(args.seeds):
        pairs = [[found[f"{f} {seed}"][m] for f in _FORMATS] for m in _METRICS]
        differences.append([reduced - full for full, reduced in pairs])
        cells = [f"{value:.3f}" for pair in pairs for value in pair]
        cells += [f"{value:+.3f}" for value in differences[-1]]
        rows.append([str(seed), *cells])
    lines = []
    for metric, values in zip(_NAMES, zip(*differences, strict=True), strict=True):
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
        lines.append(
            f"{metric}: {statistics.mean(values):+.4f}, standard error {error:.4f}"
        )
    lowered, total = found["BFLOAT16 0"]["layers"]
    return (
        "# mAP of training in bfloat16 on a CPU\n\n"
        f"`python -m benchmarks.precision_learning --seeds {args.seeds} --steps "
        f"{args.steps}`\n\n{processor()}; TensorFlow.\nDetector of the quick start "
        f"with dense pyramid and heads, {_TRAIN_IMAGES} training images, {_HELD_OUT} "
        f"held-out\nones. BFLOAT16 in {lowered} of {total} layers, by the rule.\n\n"
        + table(head, rows)
        + "\nMean difference of BFLOAT16 to FLOAT32: "
        + "; ".join(lines)
        + ".\n"
    )


if __name__ == "__main__":
    main()
