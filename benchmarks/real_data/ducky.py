"""The rubber duck: five labeled photographs, then 49 frames of a video.

    python -m benchmarks.real_data.ducky

Fine-tunes recipes/ducky_fpnlite_320.config from the ImageNet backbone, runs it
on the test frames, and counts those where the duck is the only box above 0.5. The
frames have no groundtruth: the mosaic is for visual inspection.
"""

import collections
import json
import pathlib

import cv2

from benchmarks.processes import RESULTS, ROOT, SHARED, table
from benchmarks.real_data import commands
from benchmarks.real_data.commands import BACKBONE, PICTURES
from odapi.draw.file import save_image
from odapi.draw.mosaic import mosaic

DATA = SHARED / "data" / "ducky"
MIN_SCORE = 0.5
WANTED = 30


def main() -> None:
    folder = commands.fresh(ROOT / "runs" / "ducky")
    cost = commands.odapi(
        *("train", str(ROOT / "recipes" / "ducky_fpnlite_320.config")),
        *("--model-dir", str(folder), "--train-data", f"coco:{DATA / 'train.json'}"),
        *("--set", f"train_config.fine_tune_checkpoint={BACKBONE}"),
    )
    found = folder / "found"
    commands.odapi(
        *("predict", str(folder), str(DATA / "test"), "--output", str(found)),
        *("--min-score", str(MIN_SCORE)),
    )
    counts = boxes_an_image(found / "detections.json")
    frames = len(list((DATA / "test").glob("*.jpg")))
    alone = sum(number == 1 for number in counts.values())
    write(frames, alone, counts, cost)
    draw(found)


def boxes_an_image(detections: pathlib.Path) -> collections.Counter:
    """Returns how many boxes above the threshold each image has."""
    return collections.Counter(
        row["image_id"]
        for row in json.loads(detections.read_text())
        if row["score"] >= MIN_SCORE
    )


def write(
    frames: int, alone: int, counts: collections.Counter, cost: commands.Cost
) -> None:
    """Writes the table."""
    several = sum(number > 1 for number in counts.values())
    text = "# The rubber duck\n\n`python -m benchmarks.real_data.ducky`\n\n"
    text += table(
        ["frames", "one box", "several", "none", "target", "seconds of training"],
        [
            [
                *map(str, (frames, alone, several, frames - alone - several)),
                f">= {WANTED}",
                f"{cost.wall:.0f}",
            ]
        ],
    )
    text += "\nA second box, if there is one, is the duck in the mirror.\n"
    (RESULTS / "ducky.md").write_text(text)
    print(text)


def draw(found: pathlib.Path) -> None:
    """Draws the frames with their detections as one image for the docs."""
    files = sorted((found / "images").iterdir(), key=lambda path: len(path.name))
    frames = [cv2.imread(str(path))[:, :, ::-1] for path in files]
    PICTURES.mkdir(parents=True, exist_ok=True)
    save_image(PICTURES / "ducky.jpg", mosaic(frames, columns=7, cell=180))


if __name__ == "__main__":
    main()
