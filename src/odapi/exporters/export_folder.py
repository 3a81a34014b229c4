"""The folder of an export: all files are written and verified beside it, then moved."""

import dataclasses
import pathlib
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from odapi.build.resizer import model_resizer
from odapi.console import console
from odapi.exporters.exported import ExportedFile, file_title
from odapi.exporters.exporter import Exporter, ExportOptions
from odapi.exporters.model_info import model_info
from odapi.exporters.source import ExportSource
from odapi.exporters.verify import verify
from odapi.files import (
    move_into_place,
    remove_unfinished,
    unfinished_path,
    write_json,
)
from odapi.outputs.folder import OutputFolder

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.exporters.map_drop import MapDrop

REPORT = "export.json"


def write_folder(
    loaded: "LoadedDetector",
    output: OutputFolder,
    files: Sequence[tuple[Exporter, ExportOptions]],
    images: Sequence[Any],
    drop: "MapDrop | None",
    calibration: Sequence[Any] = (),
) -> tuple[ExportedFile, ...]:
    """Writes and verifies every file of an export.

    Args:
        loaded: The detector.
        output: Nothing is written to it if a file cannot be written or differs.
        files: Exporters with their options.
        images: uint8 `[h, w, c]`, to compare on.
        drop: Measures mAP; None: it is not measured.
        calibration: Images to measure the ranges of activations on.

    Raises:
        ConfigError: The model cannot be exported in a format.
        ExportError: The results of a file differ from the detector's.
    """
    remove_unfinished(output.path, "export")
    writing = unfinished_path(output.path / "export")
    try:
        writing.mkdir(parents=True)
        source = ExportSource(
            loaded.detector, model_resizer(loaded.config), calibration
        )
        written = []
        for number, (exporter, options) in enumerate(files, start=1):
            if len(files) > 1:
                title = file_title(exporter, options.precision)
                console().print(f"File {number} of {len(files)}: {title}")
            written.append(
                _write_file(loaded, source, writing, exporter, options, images, drop)
            )
        _write_checkpoint(loaded, writing)
        placed = [
            dataclasses.replace(file, path=output.path / file.path.name)
            for file in written
        ]
        report = [_row(file) for file in placed]
        write_json(
            writing / REPORT, {"checkpoint": str(loaded.folder), "files": report}
        )
        _move(writing, output)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    return tuple(placed)


def _row(file: ExportedFile) -> dict[str, Any]:
    return dataclasses.asdict(file) | {"path": file.path.name}


def _write_file(
    loaded: "LoadedDetector",
    source: ExportSource,
    folder: pathlib.Path,
    exporter: Exporter,
    options: ExportOptions,
    images: Sequence[Any],
    drop: "MapDrop | None",
) -> ExportedFile:
    path = folder / exporter.filename_of(options.precision)
    exporter.export(source, path, options)
    info = model_info(
        loaded.config,
        loaded.label_map,
        options.precision,
        loaded.step,
        options.tflite_nms,
    )
    exporter.attach(path, info)
    done = verify(exporter, path, loaded.detector, source.resizer, options, images)
    results = dataclasses.asdict(done)
    if drop is not None:
        results |= drop.measure(exporter, path, options.precision)
    exporter.attach(path, dataclasses.replace(info, verification=results))
    parts = [path] if path.is_file() else path.rglob("*")
    megabytes = sum(part.stat().st_size for part in parts) / 1e6
    return ExportedFile(exporter.format, options.precision, path, megabytes, **results)


def _write_checkpoint(loaded: "LoadedDetector", folder: pathlib.Path) -> None:
    """Writes config, label map and weights, from which the detector is rebuilt."""
    from odapi.checkpoints import batch_norm
    from odapi.checkpoints.folder import CONFIG, WEIGHTS
    from odapi.checkpoints.metadata import metadata_writer
    from odapi.checkpoints.weights import save_weights
    from odapi.config.load import save_plain_config

    checkpoint = folder / "checkpoint"
    checkpoint.mkdir()
    save_weights(loaded.detector, checkpoint / WEIGHTS)
    batch_norm.save_if_used(checkpoint, loaded.config, loaded.detector)
    write_metadata = metadata_writer(loaded.config, loaded.label_map)
    for place in (folder, checkpoint):
        write_metadata(place)
    # Tools for exports of the original parse it with the original's protos.
    save_plain_config(loaded.config, folder / CONFIG)


def _move(writing: pathlib.Path, output: OutputFolder) -> None:
    """Moves everything into the output folder; files of an older export are deleted."""
    folder = output.begin()
    names = sorted(path.name for path in writing.iterdir())
    for name in names:
        move_into_place(writing / name, folder / name)
    moved = [folder / name for name in names]
    files = [
        part
        for path in moved
        for part in ([path] if path.is_file() else path.rglob("*"))
    ]
    output.finish([file for file in files if file.is_file()])
