"""Writer of the quick start's dataset, as COCO JSON files and JPEG images."""

import dataclasses
import pathlib

import numpy as np

from odapi.draw.file import save_image
from odapi.files import write_json
from odapi.quickstart.glyphs import Glyphs, load
from odapi.quickstart.scenes import Scene


@dataclasses.dataclass(frozen=True)
class MadeDataset:
    """Files and size of the dataset.

    Args:
        train, val: COCO JSON files; the images are in folders next to them.
        names: Names of the classes, in the order of their ids.
        num_train, num_val: Number of images per split.
        num_objects: Number of objects in both splits.
    """

    train: pathlib.Path
    val: pathlib.Path
    names: tuple[str, ...]
    num_train: int
    num_val: int
    num_objects: int


def make_dataset(
    folder: str | pathlib.Path,
    kind: str = "digits",
    num_train: int = 2000,
    num_val: int = 150,
    seed: int = 0,
) -> MadeDataset:
    """Generates a dataset of synthetic images.

    The splits have different objects: no handwritten digit is in both. The same
    arguments give the same files.

    Args:
        folder: `train.json`, `train/`, `val.json` and `val/` are written to it.
        kind: "digits" or "shapes".
        num_train, num_val: Number of images per split.
        seed: Seed of all random numbers.

    Raises:
        MissingPackageError: scikit-learn is not installed, for digits.
    """
    folder = pathlib.Path(folder)
    objects = 0
    names: tuple[str, ...] = ()
    for index, (split, count) in enumerate((("train", num_train), ("val", num_val))):
        glyphs = load(kind, split)
        rng = np.random.default_rng((seed, index))
        objects += _write_split(folder, split, glyphs, count, rng)
        names = glyphs.names
    return MadeDataset(
        folder / "train.json", folder / "val.json", names, num_train, num_val, objects
    )


def _write_split(
    folder: pathlib.Path,
    split: str,
    glyphs: Glyphs,
    count: int,
    rng: np.random.Generator,
) -> int:
    """Writes one split and returns its number of objects."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    scene = Scene()
    images: list[dict] = []
    annotations: list[dict] = []
    for number in range(1, count + 1):
        pixels, boxes, classes = scene.draw(glyphs, rng)
        name = f"{split}/{number:04d}.jpg"
        save_image(folder / name, pixels, marked=False)
        height, width = pixels.shape[:2]
        images.append(
            {"id": number, "file_name": name, "height": height, "width": width}
        )
        for box, index in zip(boxes.tolist(), classes.tolist(), strict=True):
            annotations.append(_annotation(len(annotations) + 1, number, box, index))
    categories = [{"id": i, "name": n} for i, n in enumerate(glyphs.names, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(folder / f"{split}.json", content, indent=None)
    return len(annotations)


def _annotation(number: int, image: int, box: list[float], index: int) -> dict:
    y_min, x_min, y_max, x_max = box
    width, height = x_max - x_min, y_max - y_min
    return {
        "id": number,
        "image_id": image,
        "category_id": index + 1,
        "bbox": [x_min, y_min, width, height],
        "area": width * height,
        "iscrowd": 0,
    }
