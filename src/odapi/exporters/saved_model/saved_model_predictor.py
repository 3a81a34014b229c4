"""Predictor that runs a SavedModel."""

import functools
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.data.context_features import FEATURES, SIZE, one_bank
from odapi.errors import CheckpointError, DataError
from odapi.exporters.detections_of_outputs import detections_of
from odapi.exporters.saved_model.checksums import check_files
from odapi.exporters.saved_model.detection_signature import (
    BOXES,
    SERVING,
    ImageInput,
    find_detection_signature,
    image_input,
    input_specs,
)
from odapi.exporters.saved_model.image_values import ImageEncoder
from odapi.exporters.saved_model.load_saved_model import (
    load_saved_model,
    not_runnable,
    require_saved_model,
)
from odapi.exporters.saved_model.saved_model_classes import classes_beside
from odapi.inference.image_in_memory import as_array, as_uint8
from odapi.labels import LabelMap

_SIDE_INPUTS = (FEATURES, SIZE)  # Of Context R-CNN; zeros mean no memory bank.


class SavedModelPredictor:
    """Runs a SavedModel; needs TensorFlow, but neither Keras nor a config.

        predictor = SavedModelPredictor("exported")
        odapi.predict(predictor, "photos/", output="drawn")
        predictor.outputs(image)["detection_boxes"][0]  # [100, 4], best first

    Args:
        folder: A folder written by `odapi export`, its `saved_model`, or a SavedModel
            of another exporter: with one image as input, whatever its name, and the
            outputs `detection_boxes`, `detection_scores` and `detection_classes`.
        label_map: The classes, or their file; None: see `classes_beside`.

    Attributes:
        name: Path of the SavedModel.
        label_map: The classes; empty if nothing names them.
        load_seconds: Duration of loading.
        signatures: Concrete functions by name.

    Raises:
        CheckpointError: There is no SavedModel, or it is damaged.
        DataError: The label map cannot be read.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        label_map: str | os.PathLike[str] | LabelMap | None = None,
    ):
        path = require_saved_model(pathlib.Path(folder))
        self.name = str(path)
        check_files(path)
        start = time.perf_counter()
        self._model = load_saved_model(path)
        self.load_seconds = time.perf_counter() - start
        self.signatures: dict[str, Any] = dict(self._model.signatures)
        self.keypoint_edges: tuple[tuple[int, int], ...] = ()
        self.side_inputs: dict[str, np.ndarray] = {}
        default = self.signatures.get(SERVING)
        outputs = default.structured_outputs if default else {}
        self.label_map = classes_beside(path, outputs, label_map)

    def __call__(self, images: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """Returns the detections of each image; see `Predictor`.

        Args:
            images: uint8 RGB `[h, w, 3]`, of any sizes.

        Raises:
            DataError: They are no list, such as one image or its path.

        Returns:
            One dict per image: `boxes [n, 4]` normalized, `classes [n]` from 0,
            `scores [n]`, best first.
        """
        _check_list(images)
        side = self.side_inputs
        found = (self.outputs(image, side) for image in images)
        return [detections_of({k: v[0] for k, v in row.items()}) for row in found]

    @functools.cached_property
    def image_input(self) -> ImageInput:
        """The signature and the input that `outputs` uses.

        Raises:
            CheckpointError: No signature takes images and returns detections.
        """
        return find_detection_signature(self.name, self.signatures, _SIDE_INPUTS)

    @property
    def num_channels(self) -> int:
        """Channels of the images that the model takes."""
        return self.image_input.num_channels

    def attend(self, bank: str | os.PathLike | np.ndarray) -> None:
        """Sets one memory bank `[n, d]` of a Context R-CNN for all images.

        Args:
            bank: `[n, d]`, or a .npy file that contains it.

        Raises:
            DataError: Its shape does not fit the model.
        """
        specs = self.side_specs(self.image_input.signature)
        shapes = {name: tuple(spec.shape[1:]) for name, spec in specs.items()}
        self.side_inputs = one_bank(bank, shapes)

    def outputs(
        self, images: np.ndarray, side_inputs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns the outputs by the original's names, with a batch dimension.

        Args:
            images: uint8 RGB `[h, w, 3]`, or `[b, h, w, 3]` of one size, or with the
                additional channels of the model. They are
                split into batches if the model has a fixed batch size, resized if it
                has a fixed size, and encoded if it takes image files.
            side_inputs: Further inputs by name, one row per image; missing ones are
                zeros, which means no memory bank.

        Raises:
            CheckpointError: The model has no signature for images, or fails.
            DataError: The images are not uint8, or have another shape.
        """
        images = as_array(images)
        rows = list(images) if images.ndim == 4 else [images]
        pixels = [as_uint8(image, self.num_channels) for image in rows]
        size = self.image_input.batch_size or len(rows)
        parts = []
        for start in range(0, len(rows), size):
            part = pixels[start : start + size]
            side = {
                key: _fill_up(np.asarray(value)[start : start + size], size)
                for key, value in (side_inputs or {}).items()
            }
            found = self._run_images(_fill_up(np.stack(part), size), side)
            parts.append(
                {k: v[: len(part)] for k, v in found.items() if _is_per_image(k)}
            )
        return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

    @functools.cached_property
    def _encoder(self) -> ImageEncoder:
        return ImageEncoder(self.image_input)

    def _run_images(
        self, images: np.ndarray, side_inputs: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Returns the outputs for a batch; tries each form that the input may have."""
        import tensorflow as tf

        signature = self.image_input.signature
        for form in self._encoder.forms:
            value = tf.constant(self._encoder.encode(images, form))
            try:
                found = self.run(signature, value, side_inputs=side_inputs)
            except CheckpointError:
                if form == self._encoder.forms[-1]:
                    raise
                continue
            self._encoder.forms = (form,)
            return found
        raise AssertionError("an input has at least one form")

    def run(
        self,
        signature: str,
        value: Any,
        boxes: Any = None,
        side_inputs: Mapping[str, Any] | None = None,
    ) -> dict[str, np.ndarray]:
        """Calls a signature with its image input, and with `boxes` if it takes them.

        Missing `side_inputs` are zeros.

        Raises:
            CheckpointError: The value does not fit the signature, or the model fails.
        """
        import tensorflow as tf

        image = self._input(signature)
        value = tf.convert_to_tensor(value)
        if not image.spec.shape.is_compatible_with(value.shape):
            raise CheckpointError(
                f"{self.name} ({signature})",
                f"{image.name} must be {image.title}, got {list(value.shape)}",
                hint="images have three channels, RGB"
                if image.num_channels == 3
                else f"images have {image.num_channels} channels, RGB first",
            )
        given = {} if boxes is None else {BOXES: boxes}
        for name, spec in self.side_specs(signature).items():
            rows = [n or s for n, s in zip(spec.shape, value.shape[:1], strict=False)]
            shape = [*rows, *spec.shape[1:]]
            zeros = np.zeros(shape, spec.dtype.as_numpy_dtype)
            given[name] = tf.cast((side_inputs or {}).get(name, zeros), spec.dtype)
        try:
            found = self.signatures[signature](**{image.name: value}, **given)
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise not_runnable(f"{self.name} ({signature})", error) from error
        return {name: tensor.numpy() for name, tensor in found.items()}

    def spec(self, name: str) -> Any:
        """Returns the `tf.TensorSpec` of a signature's image input."""
        return self._input(name).spec

    def side_specs(self, name: str) -> dict[str, Any]:
        """Returns the `tf.TensorSpec` of each side input of a signature, by name."""
        specs = input_specs(self.signatures[name])
        return {
            k: v for k, v in specs.items() if k not in (self._input(name).name, BOXES)
        }

    def _input(self, signature: str) -> ImageInput:
        found = image_input(signature, self.signatures[signature])
        if found is None:
            raise CheckpointError(self.name, f"{signature} has no image as input")
        return found


def _fill_up(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns `size` rows: the last one is repeated."""
    return np.concatenate([rows, rows[-1:].repeat(size - len(rows), 0)])


def _is_per_image(name: str) -> bool:
    """Returns False for prediction maps of CenterNet, whose rows are stages."""
    return name.startswith(("detection_", "num_", "raw_"))


def _check_list(images: object) -> None:
    """Refuses one image, whose rows would be taken for images, and files."""
    if isinstance(images, np.ndarray) and images.ndim < 4 and images.dtype != object:
        problem = f"must be a list of images, got one array of shape {images.shape}"
        raise DataError("images", problem, hint="call it with [image]")
    if isinstance(images, str | bytes | os.PathLike) or not hasattr(images, "__iter__"):
        problem = f"must be a list of arrays, got {type(images).__name__}"
        hint = (
            "ObjectDetector.load(PATH).predict(...) takes files, bytes and PIL images"
        )
        raise DataError("images", problem, hint=hint)
