"""The table of export formats."""

import importlib.util
from collections.abc import Sequence

from odapi.errors import ConfigError, unknown_choice
from odapi.exporters.exporter import Exporter
from odapi.exporters.onnx.onnx_exporter import OnnxExporter
from odapi.exporters.openvino.openvino_exporter import OpenVinoExporter
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter
from odapi.exporters.tflite.tflite_exporter import TfliteExporter

EXPORTERS: dict[str, Exporter] = {
    exporter.format: exporter
    for exporter in (
        SavedModelExporter(),
        TfliteExporter(),
        OnnxExporter(),
        OpenVinoExporter(),
    )
}


def missing_packages(format: str) -> list[str]:
    """Returns the packages that a format needs and that are not installed."""
    needed = exporter_of(format).packages
    return [name for name in needed if importlib.util.find_spec(name) is None]


def exporter_of(format: str) -> Exporter:
    """Returns the exporter of a format.

    Raises:
        ConfigError: There is no such format; with the list of formats.
    """
    if format not in EXPORTERS:
        raise unknown_choice("format", format, EXPORTERS)
    return EXPORTERS[format]


def chosen_files(
    formats: Sequence[str], precisions: Sequence[str]
) -> list[tuple[Exporter, str]]:
    """Returns exporters with their precisions, in the order that was asked for.

    A format is left out of the precisions that it does not have.

    Raises:
        ConfigError: A format or a precision is unknown, or a format has none of the
            precisions, or a precision is had by none of the formats.
    """
    exporters = [exporter_of(name) for name in dict.fromkeys(formats)]
    known = dict.fromkeys(p for e in EXPORTERS.values() for p in e.precisions)
    for name in precisions:
        if name not in known:
            raise unknown_choice("precision", name, known)
    asked = list(dict.fromkeys(precisions))
    pairs = [(e, p) for e in exporters for p in asked if p in e.precisions]
    for exporter in exporters:
        if exporter not in [e for e, _ in pairs]:
            raise ConfigError(
                "precision",
                f"a {exporter.title} is not written in {' or '.join(asked)}",
                hint=f"it has {', '.join(exporter.precisions)}",
            )
    for name in asked:
        if name not in [p for _, p in pairs]:
            have = [e.format for e in EXPORTERS.values() if name in e.precisions]
            raise ConfigError(
                "precision",
                f"none of the formats {', '.join(formats)} has {name}",
                hint=f"it is had by {', '.join(have)}",
            )
    return pairs
