"""Writer of SavedModels with the signatures of the original's exporter."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from odapi.data.image.resize import Resizer
from odapi.errors import ConfigError
from odapi.exporters.detection_function import detection_function, side_specs
from odapi.exporters.input_types import BOXES, check_input_type, input_types
from odapi.exporters.saved_model import graph_inputs
from odapi.exporters.saved_model.checksums import write_checksums
from odapi.exporters.saved_model.detection_signature import SERVING
from odapi.exporters.saved_model.frozen_function import FrozenFunction

if TYPE_CHECKING:
    from odapi.models.detector import Detector


def write_saved_model(
    detector: "Detector",
    resizer: Resizer,
    folder: str | os.PathLike,
    input_type: str = "image_tensor",
    batch_size: int | None = None,
) -> None:
    """Writes a detector as a SavedModel.

    The signature `serving_default` takes `input_type`. There is one more signature per
    input type, named after it. All share one graph and one set of weights, which are
    constants except for the large ones of large models (see `frozen_function.py`). A
    model exported for `image_and_boxes_tensor` has that signature only.

    Side inputs of the detector, such as the memory bank of Context R-CNN, are inputs of
    every signature, under their names.

    Args:
        detector: A built detector; Keras must run on TensorFlow.
        resizer: Of the detector; it becomes part of the graph.
        folder: Is created.
        input_type: One of `INPUT_TYPES`, or `BOXES`.
        batch_size: Images per call; None: any number.

    Raises:
        ConfigError: The input type is unknown or not supported by this model, or the
            resizer does not give a fixed size.
    """
    import tensorflow as tf

    check_input_type(input_type)
    if input_type == BOXES:
        _write_with_boxes(detector, resizer, folder, batch_size)
        return
    channels = detector.num_channels
    if input_type not in input_types(channels):
        raise ConfigError(
            "input_type",
            f"{input_type} takes image files, which have three channels; the model "
            f"takes {channels}",
            hint=f"use one of {', '.join(input_types(channels))}",
        )
    core = FrozenFunction(detection_function(detector, resizer, batch_size))
    side = side_specs(detector, batch_size)
    functions = {
        kind: _serving_function(core, kind, resizer, batch_size, side, channels)
        for kind in input_types(channels)
    }
    module = tf.Module()
    module.variables_of_core = core.variables
    # For `tf.saved_model.load(folder)(images)`, as in the original's tutorials.
    module.__call__ = functions[input_type]
    signatures = {
        name: function.get_concrete_function()
        for name, function in ({SERVING: functions[input_type]} | functions).items()
    }
    _save(module, folder, signatures)


def _write_with_boxes(
    detector: "Detector",
    resizer: Resizer,
    folder: str | os.PathLike,
    batch_size: int | None,
) -> None:
    import tensorflow as tf

    if not getattr(detector, "predicts_masks_from_boxes", False):
        raise ConfigError(
            "input_type",
            f"{BOXES} needs a model that predicts masks for given boxes",
            hint="use a model with deepmac_mask_estimation",
        )
    channels = detector.num_channels
    core = FrozenFunction(
        detection_function(detector, resizer, batch_size, with_boxes=True)
    )

    def serve(input_tensor: Any, boxes: Any) -> dict[str, Any]:
        with tf.device("CPU:0"):
            images, true_size = graph_inputs.resize(resizer, input_tensor, channels)
        return core(images=images, true_size=true_size, boxes=boxes)

    specs = [
        graph_inputs.input_spec(BOXES, batch_size, channels),
        tf.TensorSpec([batch_size, None, 4], tf.float32, name="boxes"),
    ]
    module = tf.Module()
    module.variables_of_core = core.variables
    module.__call__ = tf.function(serve, autograph=False, input_signature=specs)
    concrete = module.__call__.get_concrete_function()
    _save(module, folder, dict.fromkeys((SERVING, BOXES), concrete))


def _save(
    module: Any, folder: str | os.PathLike, signatures: dict[str, Callable]
) -> None:
    import tensorflow as tf

    # Gradients defined by layers, such as that of swish, cannot be saved: they refer to
    # tensors of the graph before freezing. Exported models are not trained.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=signatures, options=options)
    write_checksums(pathlib.Path(folder))


def _serving_function(
    core: Any,
    kind: str,
    resizer: Resizer,
    batch_size: int | None,
    side: Sequence[Any],
    channels: int,
) -> Any:
    import tensorflow as tf

    prepare = graph_inputs.prepare(kind, resizer, channels)

    def serve(input_tensor: Any, *side_values: Any) -> dict[str, Any]:
        # Decoding and resizing stay on the CPU wherever the rest runs.
        with tf.device("CPU:0"):
            images, true_size = prepare(input_tensor)
        named = {s.name: value for s, value in zip(side, side_values, strict=True)}
        return core(images=images, true_size=true_size, **named)

    # autograph=False: the functions use TensorFlow operations only.
    specs = [graph_inputs.input_spec(kind, batch_size, channels), *side]
    return tf.function(serve, autograph=False, input_signature=specs)
