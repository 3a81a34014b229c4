"""Writer of TFLite files in float32 and float16."""

import pathlib
import tempfile
from typing import Any

from odapi.exporters.detection_function import detection_function, fixed_image_size
from odapi.exporters.network import IMAGES
from odapi.exporters.network_graph import network_graph
from odapi.exporters.source import ExportSource
from odapi.exporters.tflite.convert import convert
from odapi.exporters.tflite.detection_op import (
    NAME,
    DetectionOp,
    detection_op,
    heads_function,
)
from odapi.exporters.tflite.metadata import with_last_operator
from odapi.exporters.tflite.nms_choice import GRAPH
from odapi.kernels.portable import portable_operations
from odapi.runtime.compat import function_from_graph

_NAMES = {"images": IMAGES}
# In the order of the operator.
_OUTPUTS = (
    "detection_boxes", "detection_classes", "detection_scores", "num_detections",
)  # fmt: skip


def write_tflite(
    source: ExportSource,
    path: pathlib.Path,
    dtype: str,
    batch_size: int,
    half: bool = False,
    nms: str = GRAPH,
) -> None:
    """Writes a detector as a TFLite file with builtin operators only.

    Args:
        source: The detector; Keras must run on TensorFlow. Images are resized outside
            of the model.
        path: The file.
        dtype: Of the images, "uint8" or "float32".
        batch_size: Images per call.
        half: Whether weights are stored in float16.
        nms: `FAST` or `REGULAR`: boxes and NMS are a custom operator.

    Raises:
        ConfigError: The resizer gives images of varying sizes, an operation has no
            counterpart, or the custom operator cannot decode the boxes.
    """
    size = fixed_image_size(source.resizer, "a TFLite file")
    with portable_operations():
        if nms == GRAPH:
            function = detection_function(
                source.detector, source.resizer, batch_size, dtype=dtype, raw=False
            )
            operator = None
        else:
            operator = detection_op(source, nms, size)
            function = heads_function(source, size, dtype)
    with tempfile.TemporaryDirectory() as folder:
        saved_model = pathlib.Path(folder)
        _save(function, operator, saved_model)
        convert(saved_model, path, half, custom=operator is not None)
    if operator is not None:
        key, value = "detections_per_class", operator.max_per_class
        path.write_bytes(with_last_operator(path.read_bytes(), NAME, key, value))


def _save(function: Any, operator: DetectionOp | None, folder: pathlib.Path) -> None:
    """Writes a SavedModel of the network; its inputs are those that it uses."""
    import tensorflow as tf

    graph, inputs, outputs = network_graph(function)
    network = function_from_graph(
        graph, [t.name for t in inputs], list(outputs.values())
    )
    specs = [
        tf.TensorSpec(t.shape, t.dtype, name=_NAMES.get(t.op.name, t.op.name))
        for t in inputs
    ]
    suppress = operator.function() if operator else None

    @tf.function(input_signature=specs, autograph=False)
    def serve(*given: Any) -> dict[str, Any]:
        for value, tensor in zip(network.inputs, inputs, strict=True):
            value.set_shape(tensor.shape)
        found = dict(zip(outputs, network(*given), strict=True))
        if operator is None or suppress is None:
            return found
        anchors = tf.constant(operator.anchors)
        results = suppress(found["codes"], found["scores"], anchors)
        return dict(zip(_OUTPUTS, results, strict=True))

    module = tf.Module()
    module.suppress = suppress
    # Gradients defined by layers cannot be saved, and are not needed.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), serve.get_concrete_function(), options)
