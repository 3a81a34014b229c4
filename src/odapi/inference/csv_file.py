"""Predictions as a CSV file with one row per object."""

import csv
import pathlib
from collections.abc import Iterable

from odapi.files import Pathlike, atomic_open, unwritable
from odapi.inference.prediction import Prediction
from odapi.outputs.file import check_new_file

COLUMNS = (
    "image_id", "path", "width", "height", "class_id", "label", "score",
    "x_min", "y_min", "x_max", "y_max",
)  # fmt: skip


def write_csv(predictions: Iterable[Prediction], file: Pathlike) -> pathlib.Path:
    """Writes the objects of all images; boxes are in pixels.

    The columns can be read as a dataset: `csv:FILE`.

    Raises:
        OutputError: The file is not of odapi, or cannot be written.
        DataError: The disk is full.
    """
    path = check_csv_file(file)
    try:
        with atomic_open(path, "w") as opened:
            writer = csv.writer(opened, lineterminator="\n")
            writer.writerow(COLUMNS)
            for found in predictions:
                writer.writerows(_rows(found))
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def check_csv_file(file: Pathlike) -> pathlib.Path:
    """Checks that a CSV file can be written; one of odapi may be replaced.

    Raises:
        OutputError: The file is not of odapi, or cannot be written.
    """
    return check_new_file(file, _is_ours)


def _is_ours(path: pathlib.Path) -> bool:
    header = ",".join(COLUMNS).encode()
    with path.open("rb") as opened:
        return opened.read(len(header)) == header


def _rows(found: Prediction) -> list[list[object]]:
    height, width = found.size
    name = "" if found.path is None else str(found.path)
    image = [found.image_id, name, width, height]
    objects = zip(
        found.class_ids.tolist(), found.labels, found.scores.tolist(),
        found.xyxy.tolist(), strict=True,
    )  # fmt: skip
    return [
        [*image, class_id, label, f"{score:.7g}", *(f"{side:.3f}" for side in box)]
        for class_id, label, score, box in objects
    ]
