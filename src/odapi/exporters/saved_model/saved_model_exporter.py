"""The exporter of TensorFlow SavedModels.

Keras is imported inside functions: an exported model is loaded without it.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.data.image.resize import Resizer
from odapi.exporters.exporter import Exporter, ExportOptions, Outputs
from odapi.exporters.input_types import EXAMPLE
from odapi.exporters.saved_model import graph_inputs
from odapi.exporters.saved_model.detection_signature import SERVING
from odapi.exporters.saved_model.image_values import example_of_image
from odapi.exporters.saved_model.load_saved_model import FOLDER, find_saved_model
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.source import ExportSource
from odapi.labels import LabelMap
from odapi.runtime import backend


class SavedModelExporter(Exporter):
    """Writes SavedModels with the signatures of the original's exporter."""

    format = "saved_model"
    title = "SavedModel"
    filename = FOLDER
    backend = "tensorflow"
    packages = ("tensorflow",)
    extra = "tensorflow"

    def export(
        self,
        source: ExportSource,
        path: pathlib.Path,
        options: ExportOptions,
    ) -> None:
        """Writes a detector to the folder `path`."""
        from odapi.exporters.saved_model.saved_model_writer import write_saved_model

        write_saved_model(
            source.detector,
            source.resizer,
            path,
            options.input_type,
            options.batch_size,
        )

    def open(
        self, path: pathlib.Path, resizer: Resizer, options: ExportOptions
    ) -> "RunnableSavedModel":
        """Returns a SavedModel, to be verified."""
        return RunnableSavedModel(path, options.input_type)

    def find(self, path: str | os.PathLike) -> pathlib.Path | None:
        """Returns the SavedModel at `path` or in the folder `path`, else None."""
        return find_saved_model(path)

    def load(
        self,
        path: str | os.PathLike,
        label_map: str | os.PathLike[str] | LabelMap | None = None,
    ) -> SavedModelPredictor:
        """Returns a SavedModel as a predictor."""
        backend.load_tensorflow("running a SavedModel")
        predictor = SavedModelPredictor(path, label_map)
        _ = predictor.image_input  # Refuses other models before images are read.
        return predictor

    def resize(
        self, resizer: Resizer, image: np.ndarray, options: ExportOptions
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns an image resized by TensorFlow operations, as in the graph."""
        resized, true_size = graph_inputs.resize(resizer, image[None], image.shape[-1])
        return resized.numpy(), true_size.numpy()


class RunnableSavedModel:
    """A SavedModel whose signatures can be called one by one.

    Args:
        path: The SavedModel.
        input_type: Of `serving_default`; other signatures are named after theirs.
    """

    def __init__(self, path: pathlib.Path, input_type: str):
        self._predictor = SavedModelPredictor(path)
        self.load_seconds = self._predictor.load_seconds
        others = [name for name in self._predictor.signatures if name != SERVING]
        self.entry_points = (SERVING, *others)
        self._input_type = input_type

    def make_inputs(
        self,
        entry_point: str,
        image: np.ndarray,
        boxes: np.ndarray | None,
        side_inputs: Mapping[str, np.ndarray],
    ) -> tuple[Any, Any, dict[str, np.ndarray]]:
        """Returns `input_tensor`, `boxes` and side inputs, repeated to a full batch."""
        import tensorflow as tf

        spec = self._predictor.spec(entry_point)
        rows = spec.shape[0] or 1
        value = tf.constant(image)
        if spec.dtype == tf.string:
            value = tf.io.encode_png(value)
        kind = self._input_type if entry_point == SERVING else entry_point
        if kind == EXAMPLE:
            value = tf.constant(example_of_image(value.numpy()))
        images = tf.stack([tf.cast(value, spec.dtype)] * rows)
        repeated = {k: np.repeat(v, rows, axis=0) for k, v in side_inputs.items()}
        given = None if boxes is None else np.repeat(boxes, rows, axis=0)
        return images, given, repeated

    def call(self, entry_point: str, inputs: tuple[Any, Any, dict]) -> Outputs:
        """Returns the outputs of a signature."""
        return self._predictor.run(entry_point, *inputs)
