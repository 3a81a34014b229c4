"""Compiled inference: one compiled step per shape of a batch."""

import weakref
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from odapi.models.detector import Detector, predicted_fields
from odapi.structures import Groundtruth, Tensor, present

# Image sizes; compiling takes seconds, and a graph takes some megabytes. From the
# fifth on TensorFlow warns.
_MAX_COMPILED = 4
# JAX runs without compiling no faster than it compiles: those used last are kept.
_MAX_COMPILED_JAX = 32
_EAGER = "eager"


class EvaluationModel:
    """Detections of a batch and, on request, the parts of its loss.

    Compiles once for each shape of a batch and reads the weights that the detector
    has at the time of the call. When images come in many sizes, those after the first
    few are not compiled; on JAX, where all are, the last few compiled ones are kept.

    Args:
        detector: A `Detector`, built.
        with_losses: Also compute losses; batches then need their groundtruth.
    """

    def __init__(self, detector: Detector, with_losses: bool = False):
        self.detector = detector
        self.with_losses = with_losses
        self._steps: dict[Any, _Step] = {}

    def run(
        self,
        images: Any,
        true_size: Any,
        groundtruth: Groundtruth | None = None,
        side_inputs: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Returns detections, as arrays `[b, n, ...]` by field, and loss parts.

        Args:
            images: `[b, h, w, c]`, resized and padded.
            true_size: `[b, 2]`, their size without padding.
            groundtruth: Needed with losses.
            side_inputs: Other inputs of the detector by name, always with the same
                names and shapes.
        """
        inputs: dict[str, Any] = {
            **(side_inputs or {}),
            "images": np.asarray(images),
            "true_size": np.asarray(true_size, np.int32),
        }
        shape: tuple[int, ...] = inputs["images"].shape
        if self.with_losses and groundtruth is not None:
            inputs["groundtruth"] = _loss_inputs(groundtruth, self.detector)
            shape = (*shape, groundtruth.boxes.shape[1])
        found = self._step(shape).predict_on_batch(inputs)
        losses = {k: float(v) for k, v in found.get("losses", {}).items()}
        return found["detections"], losses

    def _step(self, shape: tuple[int, ...]) -> "_Step":
        # One model per shape: on seeing a second shape, Keras would compile for any
        # shape, and anchors are generated for a known one.
        if keras.backend.backend() == "jax":
            step = self._steps.pop(shape, None) or _Step(
                self.detector, self.with_losses
            )
            self._steps[shape] = step  # The one used last comes last.
            if len(self._steps) > _MAX_COMPILED_JAX:
                del self._steps[next(iter(self._steps))]
            return step
        eager = len(self._steps) >= _MAX_COMPILED and shape not in self._steps
        key = _EAGER if eager else shape
        if key not in self._steps:
            step = _Step(self.detector, self.with_losses)
            step.run_eagerly = key == _EAGER
            self._steps[key] = step
        return self._steps[key]


class _Step(keras.Model):
    """The compiled function; shares the variables of the detector."""

    def __init__(self, detector: Detector, with_losses: bool):
        super().__init__(name="evaluation_step")
        self.detector = detector
        self.with_losses = with_losses
        # On a CPU XLA takes ten times as long as TensorFlow's own kernels, and torch
        # would need a C++ compiler; JAX always compiles with XLA.
        self.jit_compile = keras.backend.backend() == "jax"
        self.built = True

    def call(self, inputs: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
        """Returns `detections`, fields of `Detections`, and `losses` by their name."""
        images = {k: v for k, v in inputs.items() if k != "groundtruth"}
        outputs = self.detector(images, training=False)
        detections = self.detector.detect(images, outputs)
        found = {"detections": predicted_fields(detections)}
        if self.with_losses:
            truth = Groundtruth(**inputs["groundtruth"])
            found["losses"] = self.detector.loss_parts(outputs, truth, images)
        return found


def _loss_inputs(groundtruth: Groundtruth, detector: Detector) -> dict[str, Any]:
    """Returns the fields that the loss of a detector reads; masks only if needed."""
    read = ("boxes", "classes", "valid", "weights", *detector.groundtruth_fields)
    return {k: v for k, v in present(groundtruth).items() if k in read}


def real_rows(found: Mapping[str, Any], i: int) -> dict[str, np.ndarray]:
    """Returns the detections of image `i` of a batch by field, without padding.

    Masks within their boxes are called `box_masks`; those of groundtruth and of
    drawings cover the whole image.
    """
    number = int(found["num"][i])
    rows = {k: np.asarray(v[i])[:number] for k, v in found.items() if k != "num"}
    if "masks" in rows:
        rows["box_masks"] = rows.pop("masks")
    return rows


# The evaluation models in use. A value holds its detector, so that the id in the key
# is that of a living object.
_IN_USE: weakref.WeakValueDictionary[tuple[int, bool], EvaluationModel] = (
    weakref.WeakValueDictionary()
)


def evaluation_model(detector: Detector, with_losses: bool = False) -> EvaluationModel:
    """Returns the evaluation model of a detector, compiled functions included.

    While anyone holds it, every call returns the same one; hold it for as long as
    the detector is used.
    """
    key = (id(detector), with_losses)
    model = _IN_USE.get(key)
    if model is None:
        model = _IN_USE[key] = EvaluationModel(detector, with_losses)
    return model


def regularization_loss(detector: Detector) -> float | None:
    """Returns the sum of a detector's regularization losses; None if it has none."""
    losses = detector.losses
    if not losses or not detector.add_regularization:
        return None
    return float(sum(np.asarray(keras.ops.convert_to_numpy(v)) for v in losses))
