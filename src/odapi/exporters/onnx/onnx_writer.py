"""Writer of ONNX files."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator
from typing import Any

from odapi.errors import ConfigError
from odapi.exporters.detection_function import detection_function, fixed_image_size
from odapi.exporters.network import IMAGES
from odapi.exporters.network_graph import network_graph
from odapi.exporters.onnx.nms_operator import combined_nms
from odapi.exporters.source import ExportSource
from odapi.geometry.nms.operator import use_operator
from odapi.kernels.portable import portable_operations

# Opset 17 has LayerNormalization, without which float16 overflows in TensorRT; tf2onnx
# is tested up to 18.
OPSET = 18


def onnx_model(source: ExportSource, dtype: str, batch_size: int | None) -> Any:
    """Returns a detector as an ONNX `ModelProto` in float32, converted once.

    Args:
        source: The detector; Keras must run on TensorFlow. Images are resized outside
            of the model.
        dtype: Of the images, "uint8" or "float32".
        batch_size: Images per call; None: any number.

    Raises:
        ConfigError: An operation of the detector does not exist in ONNX.
    """
    key = ("onnx", dtype, batch_size)
    return source.once(key, lambda: _converted(source, dtype, batch_size))


def _converted(source: ExportSource, dtype: str, batch_size: int | None) -> Any:
    import tf2onnx

    fixed_image_size(source.resizer, "an ONNX file")
    with use_operator(combined_nms), portable_operations():
        function = detection_function(
            source.detector, source.resizer, batch_size, dtype=dtype, raw=False
        )
    network = network_graph(function)
    names = {tensor: name for name, tensor in network.outputs.items()}
    names |= {t.name: t.op.name for t in network.inputs} | {"images:0": IMAGES}
    with _quiet():
        try:
            model, _ = tf2onnx.convert.from_graph_def(
                network.graph,
                input_names=[t.name for t in network.inputs],
                output_names=list(network.outputs.values()),
                opset=OPSET,
                tensors_to_rename=names,
            )
        except (ValueError, RuntimeError, KeyError) as error:
            raise ConfigError(
                "format",
                f"onnx: tf2onnx cannot convert this model: {error}",
                hint="export a SavedModel, which every model can be",
            ) from error
    return model


def save_onnx(model: Any, path: pathlib.Path) -> None:
    """Writes a `ModelProto`."""
    path.write_bytes(model.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what tf2onnx and TensorFlow log about every step."""
    names = ("tf2onnx", "tensorflow")
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
