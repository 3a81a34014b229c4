"""The predictions of several images, and the files that they can be written to."""

import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from odapi.data.formats.writer import Written
from odapi.errors import DataError
from odapi.files import Pathlike, write_json
from odapi.inference.crops import Crops
from odapi.inference.csv_file import write_csv
from odapi.inference.dataset_files import write_dataset
from odapi.inference.image_names import ImageNames
from odapi.inference.prediction import Prediction
from odapi.inference.result_files import (
    ResultsWriter,
    categories_of,
    check_results_file,
    images_file,
    results_facts,
)
from odapi.inference.stream import PredictionStream
from odapi.labels import LabelMap
from odapi.outputs.file import check_new_file
from odapi.wording import counted

if TYPE_CHECKING:
    import pandas


class Predictions(list[Prediction]):
    """List with one `Prediction` per image that could be read.

    Attributes:
        skipped: Reason by file, of each image that could not be read.
        ignored: Number of files per suffix, of folders, that are no images.
        files: Files written by `odapi.predict`.
        best_score: Highest score of the selected classes, including those below
            `min_score`.
        label_map: The classes of the model.
    """

    def __init__(
        self, rows: Iterable[Prediction] = (), label_map: LabelMap | None = None
    ):
        super().__init__(rows)
        self.skipped: dict[str, str] = {}
        self.ignored: dict[str, int] = {}
        self.files: list[pathlib.Path] = []
        self.best_score = 0.0
        self.label_map = label_map or (self[0].label_map if self else LabelMap(()))

    def __repr__(self) -> str:
        objects = sum(len(found) for found in self)
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        best = f", best score {self.best_score:.2g}" if self and not objects else ""
        images = counted(len(self), "image")
        found = counted(objects, "object")
        return f"<Predictions of {images}: {found}{best}{skipped}>"

    def take(self, stream: PredictionStream) -> None:
        """Copies the counts of a stream that these predictions came from."""
        self.skipped, self.best_score = stream.skipped, stream.best_score
        self.ignored = stream.ignored

    def save(self, folder: Pathlike) -> list[pathlib.Path]:
        """Draws every image with its objects into a folder; returns the files.

        Raises:
            OutputError: The folder has a file of the same name that odapi did not
                write, such as the image itself.
        """
        drawings, names = Drawings(folder), Drawings(folder)
        for found in self:  # Before the first is written.
            check_new_file(names.path_of(found), found.may_replace)
        return [drawings.save(found) for found in self]

    def save_coco_results(self, file: Pathlike) -> list[pathlib.Path]:
        """Writes COCO results, a list of detections, as COCO's tools read them.

        Beside `NAME.json`, `NAME.images.json` gives the file of each image id, the
        classes, and the images that were skipped.

        Returns:
            Both files.

        Raises:
            OutputError: There is such a file that odapi did not write.
        """
        path = check_results_file(file)
        with ResultsWriter(path, label_map=self.label_map) as writer:
            for found in self:
                writer.add(found.image_id, found.arrays(), found.size)
        content = {
            "images": [_image_entry(found) for found in self],
            "categories": categories_of(self.label_map),
            "skipped": self.skipped,
            "results": results_facts(path),
        }
        return [path, write_json(images_file(path), content)]

    def save_coco(self, folder: Pathlike) -> Written:
        """Writes a COCO dataset to train on: images, `annotations.json`.

        Raises:
            DataError: The folder has files, or cannot be written.
        """
        return write_dataset(self, "coco", pathlib.Path(folder), self.label_map)

    def save_voc(self, folder: Pathlike) -> Written:
        """Writes a Pascal VOC dataset to train on; see `save_coco`."""
        return write_dataset(self, "voc", pathlib.Path(folder), self.label_map)

    def save_txt(self, folder: Pathlike) -> Written:
        """Writes a YOLO dataset to train on: images, txt files, `data.yaml`.

        The txt files have keypoints if there are any, else polygons of the masks, else
        boxes.
        """
        return write_dataset(self, "yolo", pathlib.Path(folder), self.label_map)

    def save_crop(self, folder: Pathlike) -> pathlib.Path:
        """Writes the part of the image within each box, in one folder per class.

        Raises:
            OutputError: The folder has files, or cannot be written.
        """
        crops = Crops(folder)
        for found in self:
            crops.save(found)
        return crops.finish()

    def save_csv(self, file: Pathlike) -> pathlib.Path:
        """Writes a CSV file with one row per object; boxes are in pixels.

        Raises:
            OutputError: The file is not of odapi, or cannot be written.
        """
        return write_csv(self, file)

    def to_pandas(self) -> "pandas.DataFrame":
        """Returns a table with one row per object of all images.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        if not self:
            raise DataError("predictions", "there are none to make a table of")
        tables = [found.to_pandas() for found in self]
        import pandas

        filled = [table for table in tables if len(table)] or tables[:1]
        return pandas.concat(filled, ignore_index=True)

    def to_json(self) -> dict[str, Any]:
        """Returns all predictions as plain data, as `odapi predict --json` prints."""
        return {
            "images": [json_of(found) for found in self],
            "skipped": self.skipped,
            "ignored": self.ignored,
            "best_score": round(self.best_score, 4),
            "files": [str(file) for file in self.files],
        }


class Drawings:
    """Writes drawn images to a folder, each under its own name.

    Args:
        folder: Is made if needed.
    """

    def __init__(self, folder: Pathlike):
        self.folder = pathlib.Path(folder)
        self._names = ImageNames()

    def save(self, found: Prediction) -> pathlib.Path:
        """Draws one image; returns its file."""
        return found.save(self.path_of(found))

    def path_of(self, found: Prediction) -> pathlib.Path:
        """Returns a path that no other image of this object has."""
        return self.folder / "".join(self._names.of(found))


def _image_entry(found: Prediction) -> dict[str, Any]:
    return {
        "id": found.image_id,
        "file_name": "" if found.path is None else found.path.as_posix(),
        "height": found.size[0],
        "width": found.size[1],
        "objects": len(found),
    }


def json_of(found: Prediction) -> dict[str, Any]:
    """Returns one prediction as plain data, an entry of `Predictions.to_json`."""
    entry = _image_entry(found)
    rows = found.to_coco()
    entry["objects"] = [
        {"label": label, **{k: v for k, v in row.items() if k != "image_id"}}
        for label, row in zip(found.labels, rows, strict=True)
    ]
    return entry
