"""The exporter of TFLite files."""

import pathlib
import tempfile

from odapi.exporters.exporter import ExportOptions
from odapi.exporters.model_info import KEY, ModelInfo
from odapi.exporters.network_exporter import DTYPES, NetworkExporter
from odapi.exporters.source import ExportSource
from odapi.exporters.tflite.tflite_network import TfliteNetwork


class TfliteExporter(NetworkExporter):
    """Writes TFLite files with builtin operators only."""

    format = "tflite"
    title = "TFLite"
    filename = "model.tflite"
    suffix = ".tflite"
    backend = "tensorflow"
    precisions = ("float32", "float16", "dynamic", "int8")
    writing_packages = ("tensorflow", "ai_edge_litert", "litert_quantizer")
    packages = ("ai_edge_litert",)
    extra = "tflite"

    def export(
        self, source: ExportSource, path: pathlib.Path, options: ExportOptions
    ) -> None:
        """Writes a detector to the file `path`."""
        from odapi.exporters.tflite.quantize import quantize_dynamic, quantize_static
        from odapi.exporters.tflite.tflite_writer import write_tflite

        dtype, batch = DTYPES[options.input_type], options.batch_size or 1
        if options.precision in ("float32", "float16"):
            write_tflite(source, path, dtype, batch, options.precision == "float16")
            return
        with tempfile.TemporaryDirectory() as folder:
            single = pathlib.Path(folder) / self.filename
            write_tflite(source, single, dtype, batch)
            content = single.read_bytes()
        if options.precision == "dynamic":
            path.write_bytes(quantize_dynamic(content))
        else:
            path.write_bytes(quantize_static(content, source, dtype))

    def attach(self, path: pathlib.Path, info: ModelInfo) -> None:
        """Writes facts into the metadata of a file."""
        from odapi.exporters.tflite.metadata import with_metadata

        content = with_metadata(path.read_bytes(), KEY, info.to_json().encode())
        path.write_bytes(content)

    def load_network(self, path: pathlib.Path) -> TfliteNetwork:
        """Returns a file in LiteRT's interpreter."""
        return TfliteNetwork(path)
