"""Small objects: prediction on tiles, compared with prediction on whole images.

    python -m benchmarks.real_data.small_objects

Blood cells (BCCD) at a quarter of their size, six images at random places of a canvas
of 960 x 720 pixels: red cells of about 22 pixels. `odapi data tile` cuts the canvases
of train and val into tiles of 160 pixels, on which recipes/bccd_fpnlite_320.config is
trained with fewer steps; `odapi eval` evaluates the canvases of test, with and without
tiles. Writes the table, and an image with the detections.
"""

import argparse
import json
import pathlib

import cv2
import numpy as np

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from odapi.data.image.decode import decode_image
from odapi.data.image.encode import encode_png
from odapi.data.sources import open_source
from odapi.draw.file import save_image
from odapi.draw.image import Style, draw_objects

DATA = SHARED / "data" / "bccd"
FOLDER = ROOT / "runs" / "small_objects"
RECIPE = ROOT / "recipes" / "bccd_fpnlite_320.config"
TILE = 160
_SHRINK, _ROWS, _COLUMNS, _IMAGES = 4, 6, 6, 6
_OPTIMIZER = "train_config.optimizer.momentum_optimizer.learning_rate"
_RESIZER = "model.ssd.image_resizer.fixed_shape_resizer"
_METRICS = ("mAP", "mAP@.50IOU", "mAP (small)", "mAP (medium)", "mAP (large)")
_EVALUATIONS = {
    "whole images": (),
    "whole images at the scale of the tiles, 1920 x 1440": (
        *("--set", f"{_RESIZER}.height=1440", "--set", f"{_RESIZER}.width=1920"),
    ),
    f"tiles of {TILE} pixels": ("--tile", f"{TILE}", "--no-tile-whole"),
    f"tiles of {TILE} pixels and whole images": ("--tile", f"{TILE}"),
}


def make_canvases(split: str, folder: pathlib.Path, seed: int = 0) -> None:
    """Writes the images of a split, shrunk, on canvases, as a COCO dataset."""
    source = open_source(f"voc:{DATA}?split={split}")
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    order = rng.permutation(len(source)).tolist()
    for start in range(0, len(order), _IMAGES):
        samples = [source[i] for i in order[start : start + _IMAGES]]
        canvas, boxes, classes = _canvas(samples, rng)
        number = len(images) + 1
        name = f"canvas_{number}.png"
        (folder / "images" / name).write_bytes(encode_png(canvas))
        height, width = canvas.shape[:2]
        images.append(
            {"id": number, "file_name": name, "height": height, "width": width}
        )
        for (y_min, x_min, y_max, x_max), index in zip(
            boxes.tolist(), classes.tolist(), strict=True
        ):
            box = [x_min, y_min, x_max - x_min, y_max - y_min]
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "bbox": box,
                    "category_id": index + 1, "area": box[2] * box[3], "iscrowd": 0,
                }
            )  # fmt: skip
    categories = [{"id": c.id, "name": c.name} for c in source.label_map]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))


def _canvas(
    samples: list[dict], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns an image with shrunken images in random cells, its boxes and classes."""
    height, width = (side // _SHRINK for side in samples[0]["image"].shape[:2])
    background = np.median(samples[0]["image"].reshape(-1, 3), axis=0)
    canvas = np.empty((_ROWS * height, _COLUMNS * width, 3), np.uint8)
    canvas[:] = background
    cells = rng.permutation(_ROWS * _COLUMNS)[: len(samples)]
    boxes, classes = [np.zeros((0, 4))], []
    for sample, cell in zip(samples, cells.tolist(), strict=True):
        row, column = divmod(cell, _COLUMNS)
        top, left = row * height, column * width
        image = sample["image"]
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        canvas[top : top + height, left : left + width] = small
        shift = np.array([top, left, top, left])
        boxes.append(sample["boxes"] * [height, width, height, width] + shift)
        classes.append(sample["classes"])
    return canvas, np.concatenate(boxes), np.concatenate(classes)


def prepare() -> dict[str, str]:
    """Makes the datasets; returns their specs."""
    folder = commands.fresh(FOLDER / "data")
    for split in ("trainval", "test"):
        make_canvases(split, folder / split)
    commands.odapi(
        *("data", "tile", f"coco:{folder / 'trainval'}", "--size", f"{TILE}"),
        *("--output", str(folder / "tiles")),
    )
    return {"train": f"coco:{folder / 'tiles'}", "test": f"coco:{folder / 'test'}"}


def train(data: dict[str, str], steps: int, batch_size: int) -> commands.Cost:
    """Trains on the tiles."""
    overrides = (
        f"train_config.fine_tune_checkpoint={commands.BACKBONE}",
        f"train_config.batch_size={batch_size}",
        f"train_config.num_steps={steps}",
        f"{_OPTIMIZER}.cosine_decay_learning_rate.total_steps={steps}",
        f"{_OPTIMIZER}.cosine_decay_learning_rate.warmup_steps={steps // 7}",
        "train_config.optimizer.moving_average_decay=0.97",
        "options.augmentations=",  # Mosaics are for longer trainings.
    )
    return commands.odapi(
        *("train", str(RECIPE), "--model-dir", str(commands.fresh(FOLDER / "run"))),
        *("--train-data", data["train"], "--eval-data", data["test"]),
        *(argument for change in overrides for argument in ("--set", change)),
    )


def evaluate(spec: str) -> list[list[str]]:
    """Returns one row per way to predict."""
    rows = []
    for number, (name, options) in enumerate(_EVALUATIONS.items()):
        output = FOLDER / f"evaluation-{number}"
        cost = commands.odapi(
            *("eval", str(FOLDER / "run"), "--eval-data", spec, *options),
            *("--output", str(commands.fresh(output)), "--batch-size"),
            "8" if "--tile" in options else "1",
        )
        found = commands.metrics_of(output)
        values = [found[f"DetectionBoxes_Precision/{metric}"] for metric in _METRICS]
        shown = ["-" if value < 0 else f"{value:.3f}" for value in values]
        rows.append([name, *shown, f"{cost.wall:.0f}"])
    return rows


def draw_found(images: pathlib.Path) -> None:
    """Draws the objects of the first image, without labels, which would hide them."""
    results = json.loads((FOLDER / "found" / "detections.json").read_text())
    known = json.loads((FOLDER / "found" / "detections.images.json").read_text())
    first = known["images"][0]
    name = pathlib.Path(first["file_name"]).name
    image = decode_image((images / name).read_bytes())
    rows = [row for row in results if row["image_id"] == first["id"]]
    corners = np.array([row["bbox"] for row in rows], np.float32)[:, [1, 0, 3, 2]]
    corners[:, 2:] += corners[:, :2]
    objects = {
        "boxes": corners / np.tile(image.shape[:2], 2),
        "classes": np.array([row["category_id"] - 1 for row in rows]),
    }
    drawn = draw_objects(image, objects, style=Style(labels=False))
    save_image(commands.PICTURES / "small_objects.jpg", drawn)


def main() -> None:
    """Runs everything, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="Use the trained model.")
    given = parser.parse_args()
    folder = FOLDER / "data"
    note = FOLDER / "training.json"
    if given.keep:
        data = {"test": f"coco:{folder / 'test'}"}
    else:
        data = prepare()
        cost = train(data, given.steps, given.batch_size)
        wall = {"steps": given.steps, "batch": given.batch_size, "seconds": cost.wall}
        note.write_text(json.dumps(wall))
    trained = json.loads(note.read_text())
    rows = evaluate(data["test"])
    commands.odapi(
        *("predict", str(FOLDER / "run"), str(folder / "test" / "images")),
        *("--tile", f"{TILE}", "--min-score", "0.3"),
        *("--output", str(commands.fresh(FOLDER / "found"))),
    )
    draw_found(folder / "test" / "images")
    text = "\n".join(
        [
            "# Small objects",
            "",
            f"`python -m benchmarks.real_data.small_objects`: {_WHAT}",
            f"Trained for {trained['steps']} steps of batch {trained['batch']} "
            f"({trained['seconds']:.0f} s, two cores shared with other work), seed 0.",
            "",
            table(["prediction on", *_METRICS, "seconds"], rows),
        ]
    )
    (RESULTS / "small_objects.md").write_text(text + "\n")
    print(text)


_WHAT = (
    "blood cells (BCCD) at a quarter of their size,\nsix images on each canvas of "
    f"960 x 720 pixels; one detector (recipes/bccd_fpnlite_320.config),\ntrained on "
    f"tiles of {TILE} pixels, which `odapi data tile` made of the canvases of train "
    "and val, and\nevaluated on the 12 canvases of test. Objects below 32 x 32 pixels "
    "are small."
)

if __name__ == "__main__":
    main()
