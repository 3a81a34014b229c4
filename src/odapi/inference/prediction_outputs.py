"""The outputs of a prediction, which are checked before the model is loaded."""

import os
import pathlib
from collections.abc import Iterable, Mapping

from odapi.errors import OutputError
from odapi.files import Pathlike
from odapi.inference.csv_file import check_csv_file
from odapi.inference.result_files import check_results_file
from odapi.outputs.folder import OutputFolder, check_folder
from odapi.outputs.kinds import CROPS, DATASET, PREDICTIONS
from odapi.outputs.writable import shown_path


class PredictionOutputs:
    """Output paths of a prediction.

    Args:
        output: Folder for drawn images and results.
        results: File for COCO results.
        datasets: New folders for datasets by the name of the option.
        csv: CSV file.
        crops: New folder for crops.

    Raises:
        OutputError: Two are the same, have files that odapi did not write, or cannot be
            written.
    """

    def __init__(
        self,
        output: Pathlike | None,
        results: Pathlike | None = None,
        datasets: Mapping[str, Pathlike | None] | None = None,
        csv: Pathlike | None = None,
        crops: Pathlike | None = None,
    ):
        folders = {name: p for name, p in (datasets or {}).items() if p is not None}
        others = {"coco_results": results, "save_csv": csv, "save_crop": crops}
        _check_distinct({"output": output} | others | folders)
        self._output = None if output is None else OutputFolder(output, PREDICTIONS)
        if results is not None:
            check_results_file(results)
        if csv is not None:
            check_csv_file(csv)
        if crops is not None:
            check_folder(crops, CROPS)
        for folder in folders.values():
            check_folder(folder, DATASET)

    def begin(self) -> None:
        """Makes the output folder."""
        if self._output is not None:
            self._output.begin()

    def finish(self, files: Iterable[pathlib.Path]) -> None:
        """Marks the output folder as complete, with the files in it."""
        if self._output is not None:
            self._output.finish(files)


def _check_distinct(paths: Mapping[str, Pathlike | None]) -> None:
    seen: dict[str, str] = {}
    for name, path in paths.items():
        if path is None:
            continue
        key = os.path.abspath(path)
        if key in seen:
            raise OutputError(
                shown_path(path),
                f"is named twice: {seen[key]} and {name}",
                hint="each output needs its own path",
            )
        seen[key] = name
