"""The table of export formats."""

import importlib.util

from odapi.errors import unknown_choice
from odapi.exporters.exporter import Exporter
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter

EXPORTERS: dict[str, Exporter] = {
    exporter.format: exporter for exporter in (SavedModelExporter(),)
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
