"""Trains three steps of every real config, with its augmentations.

    python -m benchmarks.real_data.augmented_configs            # all
    python -m benchmarks.real_data.augmented_configs ssd_resnet50_v1_fpn_640x640

Batches of two images of COCO mini, at 128 pixels after augmentation (Hourglass: 256; at
128 its innermost maps have one pixel, and from random weights the first gradient is
3e23, whose square is infinite). Configs of the TF1
era whose model is not supported yet give their augmentations to
recipes/bccd_fpnlite_320.config; those with equal augmentations are trained once. Two
more rows have all augmentations of the config language, and those of odapi.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import time
from typing import Any

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from odapi.build.augmentation_examples import example_of
from odapi.config import check
from odapi.config.label_map import save_label_map
from odapi.config.load import load_config, options, save_config
from odapi.data.sources.open import open_source

RUNS = ROOT / "runs" / "augmented_configs"
RECIPE = ROOT / "recipes" / "bccd_fpnlite_320.config"
COCO = SHARED / "data" / "coco_mini" / "annotations"
LABEL_MAP = SHARED / "label_maps" / "mscoco_label_map.pbtxt"
SPLIT = "train2017"
STEPS, BATCH, SIZE, HOURGLASS_SIZE = 3, 2, 128, 256


@dataclasses.dataclass(frozen=True)
class Trained:
    """Result of a training.

    Args:
        steps: Its augmentations.
        model: "its own", or the model that replaces it.
        losses: Total loss of each step.
        seconds: Of the whole command.
        error: The end of its message; "" if it succeeded.
    """

    steps: str
    model: str
    losses: tuple[float, ...]
    seconds: float
    error: str = ""

    @property
    def row(self) -> list[str]:
        """The row of the table, without the name."""
        losses = ", ".join(f"{loss:.3g}" for loss in self.losses)
        return [self.steps, self.model, self.error or losses, f"{self.seconds:.0f}"]


def plain_recipe() -> Any:
    """Returns the recipe without its mosaics, which end before the last 300 steps."""
    config = load_config(RECIPE)
    del options(config).augmentations[:]
    return config


def with_all_augmentations(own: bool) -> Any:
    """Returns the recipe with every augmentation: of the config language, or ours."""
    config = plain_recipe()
    examples = example_of().values()
    if own:
        ours = [one for one in examples if not one.HasField("step")]
        options(config).augmentations.extend(ours)
    else:
        del config.train_config.data_augmentation_options[:]
        steps = [one.step for one in examples if one.HasField("step")]
        config.train_config.data_augmentation_options.extend(steps)
    return config


def prepared(config: Any) -> tuple[Any, str]:
    """Returns the config of a short training, and the kind of its model."""
    model = "its own"
    if any("feature_extractor" in f.path for f in check.find(config, for_data=False)
           if f.is_error):  # fmt: skip
        model, recipe = "that of the recipe", plain_recipe()
        steps = config.train_config.data_augmentation_options
        del recipe.train_config.data_augmentation_options[:]
        recipe.train_config.data_augmentation_options.extend(steps)
        config = recipe
    kind = config.model.WhichOneof("model")
    meta = getattr(config.model, kind)
    meta.num_classes = 90
    resizer = meta.image_resizer.fixed_shape_resizer
    is_hourglass = meta.feature_extractor.type.startswith("hourglass")
    resizer.height = resizer.width = HOURGLASS_SIZE if is_hourglass else SIZE
    train = config.train_config
    train.batch_size, train.num_steps = BATCH, STEPS
    train.ClearField("fine_tune_checkpoint")
    keypoints = kind == "center_net" and meta.keypoint_label_map_path
    data = (
        f"coco:{COCO}/{'person_keypoints' if keypoints else 'instances'}_{SPLIT}.json"
    )
    label_map = LABEL_MAP
    if keypoints:
        label_map = RUNS / "keypoints.pbtxt"
        label_map.unlink(missing_ok=True)
        save_label_map(open_source(data).label_map, label_map)
        meta.num_classes, meta.keypoint_label_map_path = 1, str(label_map)
        for task in meta.keypoint_estimation_task:
            task.keypoint_class_name = "person"  # By its id in the zoo.
    reader = config.train_input_reader
    reader.ClearField("tf_record_input_reader")
    reader.label_map_path = str(label_map)
    if kind == "center_net" and meta.HasField("deepmac_mask_estimation"):
        reader.max_number_of_boxes = 10  # Its mask head keeps 100 MB per object.
    del config.eval_input_reader[1:]
    config.eval_input_reader[0].CopyFrom(reader)
    own = options(config)
    own.train_data = own.eval_data = data
    own.evaluation.every_n_steps = 0
    own.evaluation.max_images = 1
    return config, model


def shown_steps(config: Any) -> str:
    """Returns the names of the augmentations of a config."""
    steps = [s.WhichOneof("preprocessing_step")
             for s in config.train_config.data_augmentation_options]  # fmt: skip
    steps += [s.WhichOneof("augmentation") for s in options(config).augmentations]
    return ", ".join(steps) if len(steps) < 12 else f"all {len(steps)}"


def train(name: str, config: Any, steps: str, model: str) -> Trained:
    """Trains the three steps of a prepared config in a process of its own."""
    file, folder = RUNS / f"{name}.config", RUNS / name
    save_config(config, file)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "odapi.cli", "train", str(file), "--model-dir",
         str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    lines = done.stderr.strip().splitlines()
    error = ""
    if done.returncode:
        error = f"exit code {done.returncode}: {' '.join(lines[-2:])}"
    losses = _losses(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return Trained(steps, model, losses, seconds, error)


def _losses(folder: pathlib.Path) -> tuple[float, ...]:
    """Returns the total losses that a training has recorded."""
    file = folder / "losses.jsonl"
    if not file.exists():
        return ()
    rows = map(json.loads, file.read_text().splitlines())
    return tuple(row["losses"]["Loss/total_loss"] for row in rows)


def main() -> None:
    """Trains the configs that are named, or all, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="parts of the names of configs")
    names = parser.parse_args().names
    RUNS.mkdir(parents=True, exist_ok=True)
    configs = {
        file.stem: load_config(file)
        for file in sorted((SHARED / "configs").rglob("*.config"))
    }
    configs["all augmentations of the config language"] = with_all_augmentations(False)
    configs["all augmentations of odapi"] = with_all_augmentations(True)
    kept = RUNS / "rows.json"
    rows = json.loads(kept.read_text()) if kept.exists() else {}
    shown = dict(rows)
    done: dict[bytes, Trained] = {}
    for name, config in configs.items():
        if name in rows or (names and not any(part in name for part in names)):
            continue
        steps = shown_steps(config)
        config, model = prepared(config)
        key = config.SerializeToString(deterministic=True)
        if key not in done:
            done[key] = train(name.replace(" ", "_"), config, steps, model)
        result = done[key]
        print(name, *result.row, sep=" | ", flush=True)
        shown[name] = result.row
        if not result.error:  # Those that failed are trained again next time.
            rows[name] = result.row
            kept.write_text(json.dumps(rows))
    head = ["config", "augmentations", "model", "losses of the steps", "seconds"]
    text = table(head, [[name, *shown[name]] for name in configs if name in shown])
    note = "`python -m benchmarks.real_data.augmented_configs`: " + (
        "three steps of every real config, batches of two images of COCO mini at "
        f"{SIZE} pixels (Hourglass: {HOURGLASS_SIZE}), each in a process of its own. "
        "Start weights are random. The first losses of the Faster R-CNNs with frozen "
        "batch norms, 800x1333, are large, since outputs of residual blocks then add "
        "up: more with 152 layers than with 101 or 50."
    )
    (RESULTS / "augmented_configs.md").write_text(
        f"# Augmentations of real configs\n\n{note}\n\n{text}\n"
    )


if __name__ == "__main__":
    main()
