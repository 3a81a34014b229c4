"""Overfits twenty photographs of people with CenterNets: boxes, keypoints, masks.

    python -m benchmarks.real_data.overfit_people           # all
    python -m benchmarks.real_data.overfit_people deepmac   # one

From the ImageNet backbone, whose batch norms have to follow within a few hundred steps
(`batch_norm_decay`). The images are those of COCO mini whose smallest people
are largest: at this size, smaller ones have a few pixels.
"""

import argparse
import dataclasses
import pathlib

from benchmarks.processes import RESULTS, ROOT, table
from benchmarks.real_data import commands
from benchmarks.real_data.commands import BACKBONE
from benchmarks.real_data.overfit import largest
from odapi.build.keypoint_config import keypoint_config
from odapi.config.label_map import save_label_map
from odapi.config.load import load_config, save_config
from odapi.data.sources.open import open_source

RUNS = ROOT / "runs" / "overfit_people"
IMAGES, SIZE, BATCH = 20, 256, 10
# Name in the table: metric, and what the issue of it asks for.
WANTED = {
    "box mAP@.50": ("DetectionBoxes_Precision/mAP@.50IOU", 0.9),
    "keypoint mAP@.50": ("Keypoints_Precision/mAP@.50IOU ByCategory/person", 0.8),
    "mask mAP@.50": ("DetectionMasks_Precision/mAP@.50IOU", 0.7),
}
_HEAD = "{ num_filters: 64 kernel_sizes: 3 }"
_MASKS = f"""mask_estimation_task {{
  classification_loss {{ weighted_sigmoid {{ }} }} mask_height: 64 mask_width: 64
  mask_head_params {_HEAD}
}}"""
_DEEPMAC = """deepmac_mask_estimation {
  classification_loss { weighted_sigmoid { } } task_loss_weight: 5.0 dim: 233
  network_type: "cond_inst3" num_init_channels: 8 use_instance_embedding: false
}"""
_CONFIG = """
model { center_net {
  num_classes: 1
  feature_extractor { type: "mobilenet_v2_fpn" }
  image_resizer { fixed_shape_resizer { height: %(size)d width: %(size)d } }
  object_center_params {
    max_box_predictions: 50
    classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } }
    center_head_params %(head)s
  }
  object_detection_task {
    localization_loss { l1_localization_loss { } }
    scale_head_params %(head)s
    offset_head_params %(head)s
  }
  %(task)s
} }
train_config {
  batch_size: %(batch)d num_steps: %(steps)d
  fine_tune_checkpoint: "%(backbone)s"
  fine_tune_checkpoint_type: "classification" fine_tune_checkpoint_version: V2
  optimizer { adam_optimizer { learning_rate { cosine_decay_learning_rate {
    learning_rate_base: 0.002 warmup_learning_rate: 0.0002
    warmup_steps: 30 total_steps: %(steps)d
  } } } use_moving_average: false }
}
train_input_reader { load_instance_masks: true }
eval_input_reader { load_instance_masks: true }
eval_config {
  metrics_set: "coco_detection_metrics" metrics_set: "coco_mask_metrics"
  num_visualizations: 12 min_score_threshold: 0.4 batch_size: 10
}
[odapi.options] { evaluation { every_n_steps: 0 } batch_norm_decay: 0.95 }
"""


@dataclasses.dataclass(frozen=True)
class Model:
    """A task of CenterNet, and for how long it is trained."""

    task: str
    keypoints: bool
    steps: int


MODELS = {"mask task": Model(_MASKS, True, 600), "deepmac": Model(_DEEPMAC, False, 400)}


def config_of(name: str, model: Model, data: str) -> pathlib.Path:
    """Writes the config of a model; returns the file."""
    values = {
        "size": SIZE,
        "head": _HEAD,
        "task": model.task,
        "batch": BATCH,
        "steps": model.steps,
        "backbone": BACKBONE,
    }
    config = load_config(_CONFIG % values)
    folder = RUNS / name.replace(" ", "_")
    if model.keypoints:
        source = open_source(data)
        config.MergeFrom(keypoint_config(source))
        names = RUNS / "label_map.pbtxt"
        save_label_map(source.label_map, names)
        center_net = config.model.center_net
        center_net.keypoint_label_map_path = str(names)
        for task in center_net.keypoint_estimation_task:
            for kind in ("heatmap", "offset", "regress"):
                head = getattr(task, f"{kind}_head_params")
                head.num_filters.append(64)
                head.kernel_sizes.append(3)
        del config.train_config.data_augmentation_options[:]
        del config.eval_input_reader[:-1]
        config.eval_input_reader[0].load_instance_masks = True
    file = folder.with_suffix(".config")
    save_config(config, file)
    return file


def run(name: str, model: Model, data: str) -> list[str]:
    """Trains, evaluates on the same images; returns a row of the table."""
    folder = commands.fresh(RUNS / name.replace(" ", "_"))
    config = config_of(name, model, data)
    sources = ("--train-data", data, "--eval-data", data)
    cost = commands.odapi("train", str(config), "--model-dir", str(folder), *sources)
    output = folder / "evaluation"
    commands.odapi("eval", str(folder), "--output", str(output))
    picture = f"overfit_people_{folder.name}.jpg"
    commands.keep_picture(output / "mosaic.png", picture, 1600)
    metrics = commands.metrics_of(output)
    found = [metrics.get(metric) for metric, _ in WANTED.values()]
    cells = ["-" if value is None else f"{value:.3f}" for value in found]
    return [name, f"{model.steps} x {BATCH}", *cells, f"{cost.wall:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", choices=[*MODELS, []], default=[])
    names = parser.parse_args().which or list(MODELS)
    RUNS.mkdir(parents=True, exist_ok=True)
    data = largest("person_keypoints", ("train2017", "val2017"), IMAGES, RUNS)
    for name in names:
        row = run(name, MODELS[name], data)
        rows = commands.keep_row(RUNS / "rows.json", name, row)
    wanted = [f"{label} (> {least})" for label, (_, least) in WANTED.items()]
    text = "# Overfitting twenty photographs of people\n\n"
    text += (
        "`python -m benchmarks.real_data.overfit_people`: CenterNet MobileNetV2 FPN "
    )
    text += f"at {SIZE} px from the ImageNet backbone, two cores.\n\n"
    head = ["masks by", "steps x batch", *wanted, "seconds"]
    text += table(head, [rows[n] for n in MODELS if n in rows])
    (RESULTS / "overfit_people.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
