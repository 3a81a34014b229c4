"""The table of export formats."""

from odapi.errors import unknown_choice
from odapi.exporters.exporter import Exporter
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter

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
