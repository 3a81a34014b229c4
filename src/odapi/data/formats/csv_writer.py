"""Writes CSV with one box per row, in the columns of the tutorials."""

import csv
import io
import pathlib
from collections.abc import Iterable

from odapi.data.formats.voc_writer import number_text
from odapi.data.formats.writer import (
    COPY,
    REFER,
    ImageFiles,
    Written,
    in_pixels,
    samples,
)
from odapi.data.sources.base import BaseSource
from odapi.data.sources.csv_columns import HEADER
from odapi.files import write_text

Path = pathlib.Path


def csv_file(path: Path) -> Path:
    """Returns the CSV file that `path`, a file or a folder, means."""
    return path if path.suffix == ".csv" else path / "annotations.csv"


def write_csv(
    source: BaseSource, path: Path, indices: Iterable[int], images: str = COPY
) -> Written:
    """Writes samples as a CSV file, with the images in `images` beside it.

    An image without objects is a row without a class and a box.

    Args:
        source: The dataset.
        path: The file, or a folder for `annotations.csv`.
        indices: The samples to write.
        images: "copy", "link" or "refer", which writes the paths of the images.
    """
    file = csv_file(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(file.parent / "images", images)
    written = Written(file)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        height, width = (int(side) for side in sample["size"])
        start = [image.as_posix() if images == REFER else image.name, width, height]
        for i, box in enumerate(in_pixels(sample).tolist()):
            name = source.label_map.by_id[int(sample["classes"][i]) + 1].name
            y_min, x_min, y_max, x_max = map(number_text, box)
            writer.writerow([*start, name, x_min, y_min, x_max, y_max])
        if not len(sample["boxes"]):
            writer.writerow([*start, "", "", "", "", ""])
        written.lose_except(sample)
        written.count += 1
        written.objects += len(sample["boxes"])
    write_text(file, text.getvalue())
    return written
