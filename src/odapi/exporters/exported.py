"""The result of `odapi.export`."""

import dataclasses
import pathlib
from typing import Any

from odapi.exporters.exporter import Exporter
from odapi.exporters.formats import exporter_of


def file_title(exporter: Exporter, precision: str) -> str:
    """Returns format and precision of a file, for display."""
    title = exporter.title
    return title if precision == "float32" else f"{title} {precision}"


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """One exported file, or folder, and its comparison with the detector.

    Args:
        format: For example "saved_model".
        precision: For example "float32".
        path: The file, or the folder.
        megabytes: Its size.
        images: Number of images on which it was compared with the detector.
        difference: Largest difference of a raw box or score, or of a score if it has
            no raw outputs, relative to the largest value.
        equal_detections: Share of the detections that have the same class in both, and
            an IoU of 0.9 or more.
        load_seconds, first_seconds, second_seconds: Duration of loading, of the first
            call, and of the call after it.
        map_detector, map_exported: COCO mAP of the detector and of the file on
            `verify_data`; None without it.
    """

    format: str
    precision: str
    path: pathlib.Path
    megabytes: float
    images: int
    difference: float
    equal_detections: float
    load_seconds: float
    first_seconds: float
    second_seconds: float
    map_detector: float | None = None
    map_exported: float | None = None

    @property
    def title(self) -> str:
        """Format and precision, for display."""
        return file_title(exporter_of(self.format), self.precision)

    @property
    def drop(self) -> float | None:
        """Loss of mAP against the detector; None if it was not measured."""
        if self.map_detector is None or self.map_exported is None:
            return None
        return self.map_detector - self.map_exported


@dataclasses.dataclass(frozen=True)
class Exported:
    """Result of an export.

    Args:
        folder: With the exported files, `checkpoint/`, `pipeline.config` and
            `label_map.pbtxt`.
        checkpoint: The checkpoint that was exported.
        input_type: Of the default entry point.
        files: One per format and precision.
    """

    folder: pathlib.Path
    checkpoint: pathlib.Path
    input_type: str
    files: tuple[ExportedFile, ...]

    @property
    def saved_model(self) -> pathlib.Path:
        """The SavedModel, for `tf.saved_model.load` and TensorFlow Serving."""
        return self.folder / exporter_of("saved_model").filename


def exported_of(values: dict[str, Any]) -> Exported:
    """Returns what `dataclasses.asdict` made a dict of, with paths as text."""
    files = tuple(
        ExportedFile(**row | {"path": pathlib.Path(row["path"])})
        for row in values["files"]
    )
    folder, checkpoint = (pathlib.Path(values[k]) for k in ("folder", "checkpoint"))
    return Exported(folder, checkpoint, values["input_type"], files)
