"""8-bit weights and activations of ONNX files, in the form QDQ.

Convolutions and matrix products are quantized; boxes, scores and NMS remain in float32.
"""

import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from odapi.exporters.calibration import calibration_input, quiet_quantizer
from odapi.exporters.network import IMAGES, TRUE_SIZE
from odapi.exporters.network_predictor import network_inputs
from odapi.exporters.onnx.onnx_network import OnnxNetwork
from odapi.exporters.source import ExportSource

_OPERATORS = ["Conv", "MatMul", "Gemm"]


def quantize(model: Any, source: ExportSource, dtype: str) -> Any:
    """Returns a float32 model with its network in 8 bits.

    Weights have one range per output channel.

    Args:
        model: A `ModelProto`; not changed.
        source: The detector, with calibration images.
        dtype: Of the images, "uint8" or "float32".
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, quiet_quantizer():
        single, ready, quantized = (
            pathlib.Path(folder) / f"{name}.onnx"
            for name in ("single", "ready", "int8")
        )
        single.write_bytes(model.SerializeToString())
        # Folds batch normalization, so that it is part of the quantized convolutions.
        quant_pre_process(single, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            quantized,
            _reader(OnnxNetwork(single), source, dtype),
            op_types_to_quantize=_OPERATORS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantized)


def _reader(network: OnnxNetwork, source: ExportSource, dtype: str) -> Any:
    """Returns the calibration images in the form that ONNX Runtime reads."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._rows = _inputs(network, source, dtype)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._rows, None)

    return Reader()


def _inputs(
    network: OnnxNetwork, source: ExportSource, dtype: str
) -> Iterator[dict[str, np.ndarray]]:
    size = network.inputs[IMAGES].shape[0] or 1
    for image in source.calibration_images():
        given = calibration_input(source, image, dtype)
        pixels, true_size = (
            np.repeat(given[name], size, axis=0) for name in (IMAGES, TRUE_SIZE)
        )
        yield network_inputs(network, pixels, true_size, {})
