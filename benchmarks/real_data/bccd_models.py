"""Blood cells with models of the zoo, trained as our recipe trains.

    python -m benchmarks.real_data.bccd_models                 # all
    python -m benchmarks.real_data.bccd_models fpnlite_640     # one

The model is the zoo's own, but for the number of classes and for batch norms that
follow faster; training (schedule, augmentation, moving average) is that of
recipes/bccd_fpnlite_320.config. Trained on train and val, measured on the 72 test
images, one seed, the last step. Writes a table and the curves of each run.
"""

import argparse
import dataclasses

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from benchmarks.real_data.bccd import DATA, MAP, MAP50
from benchmarks.real_data.commands import BACKBONE
from odapi.config.load import load_config, save_config

RUNS = ROOT / "runs" / "bccd_models"
_RECIPE = ROOT / "recipes" / "bccd_fpnlite_320.config"
_CLASSES = 3
_NORM = "conv_hyperparams.batch_norm.decay=0.97"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the zoo, and how it is trained.

    Args:
        config: Its name.
        steps: Of batch 8.
        rate: Highest learning rate.
        changes: Of the model.
    """

    config: str
    steps: int
    rate: float
    changes: tuple[str, ...] = ()


MODELS = {
    "ssd_mobilenet_v2_320": Model("ssd_mobilenet_v2_320x320_coco17_tpu-8", 700, 0.05),
    "fpnlite_640": Model(
        "ssd_mobilenet_v2_fpnlite_640x640_coco17_tpu-8",
        *(400, 0.05),
        (
            f"model.ssd.feature_extractor.{_NORM}",
            f"model.ssd.box_predictor.weight_shared_convolutional_box_predictor.{_NORM}",
        ),
    ),
}


def config_of(name: str, model: Model) -> str:
    """Writes the zoo's model with the recipe's training; returns the file."""
    zoo = SHARED / "configs" / "tf2" / f"{model.config}.config"
    config = load_config(zoo, [f"model.ssd.num_classes={_CLASSES}", *model.changes])
    schedule = "train_config.optimizer.momentum_optimizer.learning_rate."
    schedule += "cosine_decay_learning_rate."
    recipe = load_config(
        _RECIPE,
        [
            f"train_config.fine_tune_checkpoint={BACKBONE}",
            f"train_config.num_steps={model.steps}",
            f"{schedule}total_steps={model.steps}",
            f"{schedule}learning_rate_base={model.rate}",
            f"options.train_data=voc:{DATA}?split=trainval",
            f"options.eval_data=voc:{DATA}?split=test",
            # The table was made before the recipe had mosaics, for longer trainings.
            "options.augmentations=",
        ],
    )
    recipe.model.CopyFrom(config.model)
    file = RUNS / f"{name}.config"
    save_config(recipe, file)
    return str(file)


def run(name: str, model: Model) -> list[str]:
    """Trains and evaluates; returns a row of the table."""
    folder = commands.fresh(RUNS / name)
    cost = commands.odapi("train", config_of(name, model), "--model-dir", str(folder))
    output = folder / "evaluation"
    commands.odapi("eval", str(folder), "--output", str(output))
    for source, picture, side in (
        (folder / "curves.png", f"bccd_{name}_curves.png", 0),
        (output / "mosaic.png", f"bccd_{name}.jpg", 1600),
    ):
        commands.keep_picture(source, picture, side)
    metrics = commands.metrics_of(output)
    return [
        name,
        f"{model.steps} x 8",
        f"{metrics[MAP]:.3f}",
        f"{metrics[MAP50]:.3f}",
        f"{cost.wall:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", choices=[*MODELS, []], default=[])
    names = parser.parse_args().which or list(MODELS)
    RUNS.mkdir(parents=True, exist_ok=True)
    for name in names:
        rows = commands.keep_row(RUNS / "rows.json", name, run(name, MODELS[name]))
    head = ["model", "steps x batch", "mAP", "mAP@.50", "seconds"]
    text = "# Blood cells with models of the zoo\n\n"
    text += "`python -m benchmarks.real_data.bccd_models`: models of the zoo from the "
    text += "ImageNet backbone, on the 72 test images;\nseed 0, two cores, possibly "
    text += "shared with other work.\n\n"
    text += table(head, [rows[n] for n in MODELS if n in rows])
    for name in (n for n in MODELS if n in rows):
        text += f"\n![{name}](../../docs/images/bccd_{name}_curves.png)\n"
    (RESULTS / "bccd_models.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
