"""The exporter of ONNX files."""

import pathlib

from odapi.exporters.exporter import ExportOptions
from odapi.exporters.model_info import KEY, ModelInfo
from odapi.exporters.network_exporter import DTYPES, NetworkExporter
from odapi.exporters.onnx.onnx_network import OnnxNetwork
from odapi.exporters.source import ExportSource


class OnnxExporter(NetworkExporter):
    """Writes ONNX files with the operator NonMaxSuppression inside."""

    format = "onnx"
    title = "ONNX"
    filename = "model.onnx"
    suffix = ".onnx"
    backend = "tensorflow"
    precisions = ("float32", "float16", "int8")
    writing_packages = ("tensorflow", "tf2onnx", "onnx", "onnxruntime")
    packages = ("onnxruntime",)
    extra = "onnx"

    def export(
        self,
        source: ExportSource,
        path: pathlib.Path,
        options: ExportOptions,
    ) -> None:
        """Writes a detector to the file `path`."""
        from odapi.exporters.onnx.onnx_writer import onnx_model, save_onnx

        dtype = DTYPES[options.input_type]
        model = onnx_model(source, dtype, options.batch_size)
        if options.precision == "float16":
            from odapi.exporters.onnx.float16 import to_float16

            model = to_float16(model)
        elif options.precision == "int8":
            from odapi.exporters.onnx.quantize import quantize

            model = quantize(model, source, dtype)
        save_onnx(model, path)

    def attach(self, path: pathlib.Path, info: ModelInfo) -> None:
        """Writes facts into the metadata of a file."""
        import onnx

        model = onnx.load(path)
        del model.metadata_props[:]
        model.metadata_props.add(key=KEY, value=info.to_json())
        path.write_bytes(model.SerializeToString())

    def load_network(self, path: pathlib.Path) -> OnnxNetwork:
        """Returns a file in ONNX Runtime."""
        return OnnxNetwork(path)
