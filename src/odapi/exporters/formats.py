"""The table of export formats, and the one function that loads exported models."""

import os

from odapi.errors import CheckpointError, unknown_choice
from odapi.exporters.exporter import Exporter
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter
from odapi.inference.predictor import Predictor

EXPORTERS: dict[str, Exporter] = {
    exporter.format: exporter for exporter in (SavedModelExporter(),)
}


def exporter_of(format: str) -> Exporter:
    """Returns the exporter of a format.

    Raises:
        ConfigError: There is no such format; with the list of formats.
    """
    if format not in EXPORTERS:
        raise unknown_choice("format", format, EXPORTERS)
    return EXPORTERS[format]


def exporter_for(path: str | os.PathLike) -> Exporter | None:
    """Returns the exporter that reads the model at `path`; None if there is no model.

    Args:
        path: A folder written by `odapi export`, or the model in it.
    """
    return next((e for e in EXPORTERS.values() if e.find(path) is not None), None)


def load_exported(path: str | os.PathLike) -> Predictor:
    """Returns an exported model of any format as a predictor.

    Args:
        path: A folder written by `odapi export`, or the model in it.

    Raises:
        CheckpointError: There is no exported model.
    """
    exporter = exporter_for(path)
    if exporter is None:
        raise CheckpointError(
            os.fspath(path),
            "does not exist" if not os.path.exists(path) else "has no exported model",
            hint=f"export one with: odapi export {os.fspath(path)} exported",
        )
    return exporter.load(path)
