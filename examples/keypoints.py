"""A keypoint model on data of one's own: from the labelling tool's file to an export.

    python examples/keypoints.py                      # minutes on a CPU
    python examples/keypoints.py --steps 3 --images 8 # only whether it runs

Makes images of stick figures with a COCO keypoint file, as a labelling tool would
write it; then everything is as with photographs. docs/keypoints.md tells the steps.
"""

import argparse
import json
import math
import pathlib

import cv2
import numpy as np

import odapi
from odapi.build.keypoint_config import keypoint_config
from odapi.config.label_map import save_label_map
from odapi.config.parse import to_text
from odapi.data.sources.open import open_source

SIZE = 96
NAMES = ("head", "left_hand", "right_hand", "left_foot", "right_foot")
# Where they are, from the middle of the body, in body heights: x, y.
PLACES = ((0.0, -0.5), (0.4, -0.15), (-0.4, -0.15), (0.22, 0.5), (-0.22, 0.5))

CONFIG = """
model { center_net {
  num_classes: 1
  feature_extractor {
    type: "hourglass_10" channel_means: [127, 127, 127] channel_stds: [64, 64, 64]
  }
  image_resizer { fixed_shape_resizer { height: 96 width: 96 } }
  object_center_params {
    max_box_predictions: 8
    classification_loss {
      penalty_reduced_logistic_focal_loss { alpha: 2.0 beta: 4.0 }
    }
    center_head_params { num_filters: 32 kernel_sizes: 3 }
  }
  object_detection_task {
    localization_loss { l1_localization_loss { } }
    scale_head_params { num_filters: 32 kernel_sizes: 3 }
    offset_head_params { num_filters: 32 kernel_sizes: 3 }
  }
} }
train_config {
  batch_size: 16
  optimizer {
    adam_optimizer { learning_rate { cosine_decay_learning_rate {
      learning_rate_base: 0.003 warmup_learning_rate: 0.0003
    } } }
    use_moving_average: false
  }
}
train_input_reader { max_number_of_boxes: 8 }
eval_config {
  num_visualizations: 6 min_score_threshold: 0.3 batch_size: 8
  keypoint_edge { start: 1 end: 2 }
  keypoint_edge { start: 0 end: 3 }
  keypoint_edge { start: 0 end: 4 }
}
"""


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Runs all of it; returns the metrics."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, default="runs/keypoints")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--images", type=int, default=300)
    options = parser.parse_args(arguments)
    folder = pathlib.Path(options.output)

    # 1. The data: a COCO file with keypoints, and images.
    train, held_out = (
        label(folder / "data" / name, count, seed)
        for seed, (name, count) in enumerate(
            (("train", options.images), ("val", max(options.images // 10, 4)))
        )
    )
    # 2. What the config has to say of the keypoints comes from the data.
    source = open_source(f"coco:{train}")
    names = folder / "label_map.pbtxt"
    save_label_map(source.label_map, names)
    config = odapi.load_config(CONFIG)
    config.MergeFrom(keypoint_config(source))
    config.model.center_net.keypoint_label_map_path = str(names)
    shorten_heads(config)
    (folder / "pipeline.config").write_text(to_text(config))
    # 3. Training, evaluation, predictions, export.
    config = odapi.load_config(
        folder / "pipeline.config",
        [
            f"options.train_data=coco:{train}",
            f"options.eval_data=coco:{held_out}",
            f"train_config.num_steps={options.steps}",
            "train_config.optimizer.adam_optimizer.learning_rate"
            f".cosine_decay_learning_rate.total_steps={options.steps}",
            "train_config.optimizer.adam_optimizer.learning_rate"
            f".cosine_decay_learning_rate.warmup_steps={options.steps // 20}",
        ],
    )
    odapi.train(config, folder / "model")
    result = odapi.evaluate(folder / "model", output=folder / "evaluation")
    for name, value in result.metrics.items():
        if "mAP@.50IOU" in name:
            print(f"{value:.3f}  {name}")
    images = sorted((folder / "data" / "val").glob("*.png"))
    found = odapi.predict(folder / "model", images[:4], output=folder / "found")
    for row in found:
        for score, points in zip(row.scores, row.keypoints_xy, strict=True):
            print(f"{row.path.name}: {score:.2f}, head at {points[0].round().tolist()}")
    odapi.export(folder / "model", folder / "exported")
    return result.metrics


def shorten_heads(config) -> None:
    """Gives the heads of the keypoints 32 channels, as the others have."""
    for task in config.model.center_net.keypoint_estimation_task:
        for name in ("heatmap", "offset", "regress"):
            head = getattr(task, f"{name}_head_params")
            head.num_filters.append(32)
            head.kernel_sizes.append(3)


def label(folder: pathlib.Path, count: int, seed: int) -> pathlib.Path:
    """Draws images; returns the COCO file that a labelling tool would have written.

    Args:
        folder: Gets the images, and the file beside it.
        count: Number of images.
        seed: Of everything random.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for number in range(1, count + 1):
        picture = rng.integers(150, 220, (1, 1, 3)).repeat(SIZE, 0).repeat(SIZE, 1)
        picture = picture + rng.normal(0, 6, (SIZE, SIZE, 3))
        picture = np.clip(picture, 0, 255).astype(np.uint8)
        for points in figures(picture, rng):
            annotations.append(annotation(len(annotations) + 1, number, points))
        name = f"{number:05d}.png"
        cv2.imwrite(str(folder / name), picture)
        images.append({"id": number, "file_name": name, "height": SIZE, "width": SIZE})
    categories = [{"id": 1, "name": "figure", "keypoints": list(NAMES)}]
    file = folder.with_suffix(".json")
    content = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(content))
    return file


def figures(picture: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws one or two figures; returns x, y of their keypoints, `[5, 2]` each."""
    drawn = []
    for middle in [(0.28, 0.5), (0.74, 0.5)] if rng.random() < 0.5 else [(0.5, 0.5)]:
        height = rng.uniform(30, 50)
        center = np.array(middle) * SIZE + rng.uniform(-5, 5, 2)
        turn = math.radians(rng.uniform(-20, 20))
        matrix = np.array(
            [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        )

        def at(places, matrix=matrix, center=center, height=height):
            return np.array(places) @ matrix.T * height + center

        color = tuple(int(c) for c in rng.integers(0, 90, 3))
        bent = np.array(PLACES) + rng.uniform(-0.06, 0.06, (5, 2))
        points = at(bent)
        neck, hip = at((0.0, -0.3)), at((0.0, 0.12))
        for start, end in ((points[0], hip), (neck, points[1]), (neck, points[2]),
                           (hip, points[3]), (hip, points[4])):  # fmt: skip
            ends = (tuple(np.rint(p).astype(int).tolist()) for p in (start, end))
            cv2.line(picture, *ends, color, 2, cv2.LINE_AA)
        head = tuple(np.rint(points[0]).astype(int).tolist())
        cv2.circle(picture, head, round(height / 10), color, -1, cv2.LINE_AA)
        drawn.append(points)
    return drawn


def annotation(number: int, image: int, points: np.ndarray) -> dict:
    """Returns what a COCO file says of one figure."""
    low, high = points.min(0) - 3, points.max(0) + 3
    width, height = (high - low).tolist()
    triples = np.column_stack([points, np.full(len(points), 2)])
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [*low.tolist(), width, height],
        "area": width * height * 0.5,
        "iscrowd": 0,
        "keypoints": triples.round(2).reshape(-1).tolist(),
        "num_keypoints": len(points),
    }


if __name__ == "__main__":
    main()
