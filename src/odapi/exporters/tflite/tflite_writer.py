"""Writer of TFLite files in float32 and float16."""

import pathlib
import tempfile
from typing import Any

from odapi.exporters.detection_function import detection_function, fixed_image_size
from odapi.exporters.network import IMAGES
from odapi.exporters.saved_model.frozen_function import folded_graph
from odapi.exporters.source import ExportSource
from odapi.exporters.tflite.convert import convert
from odapi.kernels.portable import portable_operations
from odapi.runtime.compat import function_from_graph, variables_to_constants


def write_tflite(
    source: ExportSource,
    path: pathlib.Path,
    dtype: str,
    batch_size: int,
    half: bool = False,
) -> None:
    """Writes a detector as a TFLite file with builtin operators only.

    Args:
        source: The detector; Keras must run on TensorFlow. Images are resized outside
            of the model.
        path: The file.
        dtype: Of the images, "uint8" or "float32".
        batch_size: Images per call.
        half: Whether weights are stored in float16.

    Raises:
        ConfigError: The resizer gives images of varying sizes, or an operation has no
            counterpart.
    """
    fixed_image_size(source.resizer, "a TFLite file")
    with tempfile.TemporaryDirectory() as folder:
        saved_model = pathlib.Path(folder)
        _save(source, saved_model, dtype, batch_size)
        convert(saved_model, path, half)


def _save(
    source: ExportSource, folder: pathlib.Path, dtype: str, batch_size: int
) -> None:
    """Writes a SavedModel of the network; its inputs are those that it uses."""
    import tensorflow as tf

    with portable_operations():
        function = detection_function(
            source.detector, source.resizer, batch_size, dtype=dtype, raw=False
        )
    names = sorted(function.structured_outputs)
    constant = variables_to_constants(function)
    graph = folded_graph(constant)
    used = {
        name.lstrip("^").split(":")[0] for node in graph.node for name in node.input
    }
    inputs = [tensor for tensor in constant.inputs if tensor.op.name in used]
    network = function_from_graph(
        graph, [t.name for t in inputs], [t.name for t in constant.outputs]
    )
    specs = [
        tf.TensorSpec(t.shape, t.dtype, name=_NAMES.get(t.op.name, t.op.name))
        for t in inputs
    ]

    @tf.function(input_signature=specs, autograph=False)
    def serve(*given: Any) -> dict[str, Any]:
        for value, tensor in zip(network.inputs, inputs, strict=True):
            value.set_shape(tensor.shape)
        return dict(zip(names, network(*given), strict=True))

    # Gradients defined by layers cannot be saved, and are not needed.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(
        tf.Module(), str(folder), serve.get_concrete_function(), options
    )


_NAMES = {"images": IMAGES}
