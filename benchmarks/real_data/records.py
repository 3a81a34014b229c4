"""Trains and evaluates on a user's own TFRecord and label map, unchanged.

    python -m benchmarks.real_data.records

Fifteen images of five hand signs, written by a common tutorial script, through the
input readers of a config. Training and evaluation use the same images: this shows that
such files work, not that the detector is good.
"""

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from benchmarks.real_data.commands import BACKBONE

DATA = SHARED / "data" / "records"
STEPS = 150


def main() -> None:
    folder = commands.fresh(ROOT / "runs" / "records")
    reader = (
        f'{{label_map_path: "{DATA / "hand_signs.pbtxt"}" '
        f'tf_record_input_reader {{input_path: "{DATA / "hand_signs.record"}"}}}}'
    )
    changes = [
        "model.ssd.num_classes=5",
        f"train_config.num_steps={STEPS}",
        f"train_config.fine_tune_checkpoint={BACKBONE}",
        f"train_input_reader={reader}",
        f"eval_input_reader={reader}",
    ]
    cost = commands.odapi(
        *("train", str(ROOT / "recipes" / "ducky_fpnlite_320.config")),
        *("--model-dir", str(folder), "--set", "options.train_data="),
        *(argument for change in changes for argument in ("--set", change)),
    )
    commands.odapi("eval", str(folder), "--output", str(folder / "evaluation"))
    metrics = commands.metrics_of(folder / "evaluation")
    text = "# Hand signs in a user's TFRecord\n\n"
    text += "`python -m benchmarks.real_data.records`\n\n"
    text += table(
        ["images", "steps", "seconds", "mAP@.50 on the same images"],
        [
            [
                "15",
                str(STEPS),
                f"{cost.wall:.0f}",
                f"{metrics['DetectionBoxes_Precision/mAP@.50IOU']:.3f}",
            ]
        ],
    )
    (RESULTS / "records.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
