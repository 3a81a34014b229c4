"""The exporter of TFLite files."""

import pathlib
import tempfile

from odapi.errors import ConfigError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.model_info import KEY, ModelInfo
from odapi.exporters.network_exporter import DTYPES, NetworkExporter
from odapi.exporters.source import ExportSource
from odapi.exporters.tflite.nms_choice import GRAPH, check_choice
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

    def check(self, options: ExportOptions) -> None:
        """Checks the options and the installation before anything is loaded."""
        super().check(options)
        check_choice(options.tflite_nms)
        if options.tflite_nms != GRAPH and options.batch_size not in (None, 1):
            raise ConfigError(
                "batch_size",
                f"is {options.batch_size}, and the operator of tflite_nms "
                f"{options.tflite_nms} takes one image",
            )

    def is_exact(self, options: ExportOptions) -> bool:
        """Returns whether results are those of the detector up to rounding."""
        return super().is_exact(options) and options.tflite_nms == GRAPH

    def export(
        self, source: ExportSource, path: pathlib.Path, options: ExportOptions
    ) -> None:
        """Writes a detector to the file `path`."""
        from odapi.exporters.tflite.quantize import quantize_dynamic, quantize_static
        from odapi.exporters.tflite.tflite_writer import write_tflite

        dtype, batch = DTYPES[options.input_type], options.batch_size or 1
        nms = options.tflite_nms
        if options.precision in ("float32", "float16"):
            half = options.precision == "float16"
            write_tflite(source, path, dtype, batch, half, nms)
            return
        with tempfile.TemporaryDirectory() as folder:
            single = pathlib.Path(folder) / self.filename
            write_tflite(source, single, dtype, batch, nms=nms)
            content = single.read_bytes()
        if options.precision == "dynamic":
            path.write_bytes(quantize_dynamic(content))
        else:
            path.write_bytes(quantize_static(content, source, dtype))

    def attach(self, path: pathlib.Path, info: ModelInfo) -> None:
        """Writes facts into the metadata of a file."""
        from odapi.exporters.tflite.metadata import with_metadata
        from odapi.exporters.tflite.task_metadata import NAME, task_metadata

        content = with_metadata(path.read_bytes(), KEY, info.to_json().encode())
        archive = b""
        if info.tflite_nms != GRAPH:
            config = info.pipeline.model.ssd
            suppression = config.post_processing.batch_non_max_suppression
            metadata, archive = task_metadata(
                config.feature_extractor.type,
                info.label_map,
                suppression.score_threshold,
                3,
            )
            content = with_metadata(content, NAME, metadata)
        path.write_bytes(content + archive)

    def load_network(self, path: pathlib.Path) -> TfliteNetwork:
        """Returns a file in LiteRT's interpreter."""
        return TfliteNetwork(path)
