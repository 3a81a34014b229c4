"""The exporter of OpenVINO IR."""

import os
import pathlib
import tempfile

from odapi.errors import ConfigError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.model_info import KEY, ModelInfo
from odapi.exporters.network_exporter import DTYPES, NetworkExporter
from odapi.exporters.openvino.openvino_network import OpenVinoNetwork, read_ir
from odapi.exporters.source import ExportSource

_FILE = "model.xml"


class OpenVinoExporter(NetworkExporter):
    """Writes a folder with `model.xml` and `model.bin`, converted from ONNX."""

    format = "openvino"
    title = "OpenVINO"
    filename = "openvino"
    suffix = ".xml"
    backend = "tensorflow"
    precisions = ("float32", "float16", "int8")
    writing_packages = ("tensorflow", "tf2onnx", "onnx", "openvino", "nncf")
    packages = ("openvino",)
    extra = "openvino"

    def export(
        self,
        source: ExportSource,
        path: pathlib.Path,
        options: ExportOptions,
    ) -> None:
        """Writes a detector to the folder `path`."""
        import openvino

        from odapi.exporters.onnx.onnx_writer import onnx_model, save_onnx

        dtype = DTYPES[options.input_type]
        model = onnx_model(source, dtype, options.batch_size)
        if options.precision == "float16":
            from odapi.exporters.onnx.float16 import to_float16

            # OpenVINO's own compression also rounds anchors and the ranks of NMS.
            model = to_float16(model)
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "model.onnx"
            save_onnx(model, file)
            try:
                converted = openvino.convert_model(file)
            except RuntimeError as error:
                problem = f"openvino: its importer of ONNX refuses the model: {error}"
                raise ConfigError("format", problem) from error
        if options.precision == "int8":
            from odapi.exporters.openvino.quantize import quantize

            converted = quantize(converted, source, dtype)
        path.mkdir()
        openvino.save_model(converted, path / _FILE, compress_to_fp16=False)

    def attach(self, path: pathlib.Path, info: ModelInfo) -> None:
        """Writes facts into the metadata of an .xml file."""
        import openvino

        file = path / _FILE
        model = read_ir(file)
        model.set_rt_info(info.to_json(), [KEY])
        openvino.save_model(model, path / "new.xml", compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            (path / "new").with_suffix(suffix).replace(file.with_suffix(suffix))

    def find(self, path: str | os.PathLike) -> pathlib.Path | None:
        """Returns the .xml file at `path`, or in one of its folders, else None."""
        path = pathlib.Path(path)
        folders = [path, *(path / self.filename_of(name) for name in self.precisions)]
        named = [folder / _FILE for folder in folders]
        is_file = path.suffix == self.suffix and path.is_file()
        files = [path] if is_file else [file for file in named if file.is_file()]
        beside = [file for file in files if file.with_suffix(".bin").is_file()]
        return beside[0] if beside else None

    def load_network(self, path: pathlib.Path) -> OpenVinoNetwork:
        """Returns a file in OpenVINO's runtime."""
        return OpenVinoNetwork(path if path.is_file() else path / _FILE)
