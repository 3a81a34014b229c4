"""Overfits ten photographs: a check that the parts of each model fit together.

    python -m benchmarks.real_data.overfit                  # all models
    python -m benchmarks.real_data.overfit retinanet_r50    # one

The configs are those of the zoo, with random weights, smaller images and a faster
schedule; EfficientDet uses Adam, since with momentum the random EfficientNet did not
learn for 250 steps. Inconsistent targets, losses and decoding cannot reach an mAP@.50
above 0.9 on the training images. The images are those of COCO mini whose smallest
objects are largest: at these sizes, smaller ones have a few pixels.
"""

import argparse
import collections
import dataclasses
import json
import pathlib

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from benchmarks.real_data.bccd import MAP, MAP50

DATA = SHARED / "data" / "coco_mini"
RUNS = ROOT / "runs" / "overfit"
IMAGES, WANTED = 10, 0.9


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings of the training of a config of the zoo."""

    config: str
    size: int
    steps: int
    batch: int
    rate: float
    optimizer: str = "momentum"

    @property
    def overrides(self) -> list[str]:
        norms = (
            "feature_extractor",
            "box_predictor.weight_shared_convolutional_box_predictor",
        )
        return [
            f"model.ssd.image_resizer={square(self.size)}",
            *(f"model.ssd.{n}.conv_hyperparams.batch_norm.decay=0.9" for n in norms),
            *schedule(self.batch, self.steps, self.rate, self.optimizer),
        ]


def square(size: int) -> str:
    """Returns an image resizer to `size` x `size` pixels, as text."""
    return f"{{fixed_shape_resizer {{height: {size} width: {size}}}}}"


def schedule(
    batch: int, steps: int, rate: float, optimizer: str = "momentum"
) -> list[str]:
    """Returns overrides: random weights, no augmentation, a short cosine schedule."""
    cosine = (
        f"{{learning_rate_base: {rate} total_steps: {steps} "
        f"warmup_learning_rate: {rate / 10} warmup_steps: {steps // 10}}}"
    )
    return [
        "train_config.data_augmentation_options=",
        "train_config.fine_tune_checkpoint=",
        f"train_config.batch_size={batch}",
        f"train_config.num_steps={steps}",
        "train_config.gradient_clipping_by_norm=10",
        f"train_config.optimizer={{{optimizer}_optimizer {{learning_rate "
        f"{{cosine_decay_learning_rate {cosine}}}}} use_moving_average: false}}",
        "options.evaluation.every_n_steps=0",
    ]


RECIPES = {
    "fpnlite": Recipe(
        "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8", 320, 300, 10, 0.08
    ),
    "retinanet_r50": Recipe(
        "ssd_resnet50_v1_fpn_640x640_coco17_tpu-8", 224, 200, 5, 0.02
    ),
    "efficientdet_d0": Recipe(
        "ssd_efficientdet_d0_512x512_coco17_tpu-8", 256, 300, 10, 0.003, "adam"
    ),
}


def largest(
    annotations: str, splits: tuple[str, ...], count: int, folder: pathlib.Path
) -> str:
    """Chooses the images whose smallest objects are largest; returns a data source.

    Args:
        annotations: The kind of annotations of COCO mini, such as "instances".
        splits: Where from.
        count: Number of images.
        folder: Gets a file with their annotations.
    """
    content: dict = {"images": [], "annotations": []}
    for split in splits:
        file = DATA / "annotations" / f"{annotations}_{split}.json"
        part = json.loads(file.read_text())
        for image in part["images"]:
            image["file_name"] = f"{split}/{image['file_name']}"
        for field in content:
            content[field] += part[field]
    sizes = {
        image["id"]: (image["width"], image["height"]) for image in content["images"]
    }
    smallest = collections.defaultdict(lambda: 1.0)
    for row in content["annotations"]:
        width, height = sizes[row["image_id"]]
        side = min(row["bbox"][2] / width, row["bbox"][3] / height)
        smallest[row["image_id"]] = min(smallest[row["image_id"]], side)
    chosen = set(sorted(smallest, key=lambda image: -smallest[image])[:count])
    content["images"] = [i for i in content["images"] if i["id"] in chosen]
    content["annotations"] = [
        row for row in content["annotations"] if row["image_id"] in chosen
    ]
    content["categories"] = part["categories"]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{count}.json"
    file.write_text(json.dumps(content))
    return f"coco:{file}?images={DATA}"


def learn(
    config: pathlib.Path, overrides: list[str], data: str, folder: pathlib.Path
) -> tuple[commands.Cost, dict[str, float]]:
    """Trains, evaluates on the same images, and keeps a mosaic among the docs.

    Args:
        config: The pipeline config.
        overrides: Of it.
        data: What is learnt.
        folder: Of the training; its name is that of the image.
    """
    commands.fresh(folder)
    cost = commands.odapi(
        *("train", str(config), "--model-dir", str(folder)),
        *("--train-data", data, "--eval-data", data),
        *(part for change in overrides for part in ("--set", change)),
    )
    output = folder / "evaluation"
    commands.odapi("eval", str(folder), "--output", str(output))
    commands.keep_picture(output / "mosaic.png", f"overfit_{folder.name}.jpg", 1200)
    return cost, commands.metrics_of(output)


def run(name: str, recipe: Recipe, data: str) -> list[str]:
    """Returns a row of the table."""
    config = SHARED / "configs" / "tf2" / f"{recipe.config}.config"
    cost, metrics = learn(config, recipe.overrides, data, RUNS / name)
    return [
        f"{name} {recipe.size}",
        f"{recipe.steps} x {recipe.batch}",
        f"{metrics[MAP]:.3f}",
        f"{metrics[MAP50]:.3f}",
        f"> {WANTED}",
        f"{cost.wall:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", choices=[*RECIPES, []], default=[])
    names = parser.parse_args().which or list(RECIPES)
    data = largest("instances", ("train2017",), IMAGES, RUNS)
    for name in names:
        row = run(name, RECIPES[name], data)
        rows = commands.keep_row(RUNS / "rows.json", name, row)
        head = ["model", "steps x batch", "mAP", "mAP@.50", "target", "seconds"]
        text = "# Overfitting ten photographs\n\n"
        text += "`python -m benchmarks.real_data.overfit`: configs of the zoo, random "
        text += "weights, two cores.\n\n"
        text += table(head, [rows[n] for n in RECIPES if n in rows])
        (RESULTS / "overfit.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
