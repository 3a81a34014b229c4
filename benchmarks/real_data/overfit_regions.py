"""Overfits ten photographs with two-stage detectors: boxes and masks.

    python -m benchmarks.real_data.overfit_regions                # all
    python -m benchmarks.real_data.overfit_regions mask_rcnn_r50  # one

As `overfit`: random weights, smaller images, a faster schedule. Masks are by the
recipe of Mask R-CNN with a feature pyramid.
"""

import argparse
import dataclasses
import pathlib

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from benchmarks.real_data.overfit import IMAGES, largest, learn, schedule, square

RUNS = ROOT / "runs" / "overfit_regions"
# Name in the table: metric, and what it has to be above.
WANTED = {
    "box mAP@.50": ("DetectionBoxes_Precision/mAP@.50IOU", 0.9),
    "mask mAP@.50": ("DetectionMasks_Precision/mAP@.50IOU", 0.8),
}
_MODEL = "model.faster_rcnn"
_ANCHORS = "first_stage_anchor_generator.multiscale_anchor_generator"
# Anchors shrink with the images, and the few that show an object weigh more among
# fewer others; the rest takes a fifth of the time of the whole model.
_LIGHTER = (
    "first_stage_minibatch_size=32",
    f"{_ANCHORS}.anchor_scale=2",
    f"{_ANCHORS}.scales_per_octave=2",
    "feature_extractor.fpn.additional_layer_depth=128",
    "first_stage_box_predictor_depth=128",
    "first_stage_max_proposals=100",
    "second_stage_batch_size=64",
)
_PREDICTOR = "second_stage_box_predictor.mask_rcnn_box_predictor"
_LIGHTER_MASKS = (
    f"{_PREDICTOR}.mask_prediction_num_conv_layers=3",
    f"{_PREDICTOR}.mask_prediction_conv_depth=64",
)
_NORM = "feature_extractor.conv_hyperparams.batch_norm.decay"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of the training of a config."""

    config: pathlib.Path
    size: int = 192
    steps: int = 320
    batch: int = 5
    rate: float = 0.02
    masks: bool = False

    @property
    def overrides(self) -> list[str]:
        readers = ("train_input_reader", "eval_input_reader[0]")
        return [
            f"{_MODEL}.image_resizer={square(self.size)}",
            f"{_MODEL}.{_NORM}=0.9",
            *(f"{_MODEL}.{change}" for change in _LIGHTER),
            *(f"{_MODEL}.{change}" for change in _LIGHTER_MASKS if self.masks),
            *schedule(self.batch, self.steps, self.rate),
            "options.backbone_weights=",
            *(f"{r}.load_instance_masks=true" for r in readers if self.masks),
        ]


_ZOO = SHARED / "configs" / "tf2"
RECIPES = {
    "faster_rcnn_r50": Recipe(
        _ZOO / "faster_rcnn_resnet50_v1_fpn_640x640_coco17_tpu-8.config"
    ),
    "mask_rcnn_r50": Recipe(
        ROOT / "recipes" / "mask_rcnn_resnet50_v1_fpn_640x640.config", masks=True
    ),
}


def run(name: str, recipe: Recipe, data: str, steps: int) -> list[str]:
    """Trains, evaluates on the same images; returns a row of the table."""
    recipe = dataclasses.replace(recipe, steps=steps or recipe.steps)
    cost, metrics = learn(recipe.config, recipe.overrides, data, RUNS / name)
    found = [metrics.get(metric) for metric, _ in WANTED.values()]
    cells = ["-" if value is None else f"{value:.3f}" for value in found]
    trained = f"{recipe.steps} x {recipe.batch}"
    return [f"{name} {recipe.size}", trained, *cells, f"{cost.wall:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", choices=[*RECIPES, []], default=[])
    parser.add_argument("--steps", type=int, default=0, help="fewer, to try it out")
    options = parser.parse_args()
    names = options.which or list(RECIPES)
    data = largest("instances", ("train2017",), IMAGES, RUNS)
    for name in names:
        row = run(name, RECIPES[name], data, options.steps)
        rows = commands.keep_row(RUNS / "rows.json", name, row)
    wanted = [f"{label} (> {least})" for label, (_, least) in WANTED.items()]
    text = "# Overfitting ten photographs with two-stage detectors\n\n"
    text += "`python -m benchmarks.real_data.overfit_regions`: Faster and Mask R-CNN "
    text += "ResNet-50 FPN, random weights, two cores.\n\n"
    head = ["model", "steps x batch", *wanted, "seconds"]
    text += table(head, [rows[n] for n in RECIPES if n in rows])
    (RESULTS / "overfit_regions.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
