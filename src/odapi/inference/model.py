"""What runs on the device while evaluating: one compiled step for every batch."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from odapi.structures import Groundtruth, Tensor, present

# Of every anchor: megabytes an image that nobody looks at here.
_UNUSED = dict.fromkeys(("raw_boxes", "raw_scores", "multiclass_scores", "maps"))
_CACHE = "_odapi_evaluation_models"
# Sizes of images; compiling takes seconds, and a graph some megabytes.
_MOST_COMPILED = 4  # From the fifth on TensorFlow warns.
_EAGER = "eager"


class EvaluationModel:
    """Detections of a batch and, where asked for, the parts of its loss.

    Compiles once for each shape of images, whatever weights the detector has later:
    keep one for as long as its detector (`evaluation_model` does). Where images come
    in many sizes, those after the first sizes are not compiled, if the backend can.

    Args:
        detector: A `Detector`, built.
        with_losses: Also compute losses; batches then need their groundtruth.
    """

    def __init__(self, detector: Any, with_losses: bool = False):
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
            side_inputs: What the detector reads besides, by name; always the same
                names and shapes.
        """
        inputs: dict[str, Any] = {
            **(side_inputs or {}),
            "images": np.asarray(images),
            "true_size": np.asarray(true_size, np.int32),
        }
        shape: tuple[int, ...] = inputs["images"].shape
        if self.with_losses and groundtruth is not None:
            inputs["groundtruth"] = _read(groundtruth, self.detector)
            shape = (*shape, groundtruth.boxes.shape[1])
        found = self._step(shape).predict_on_batch(inputs)
        losses = {k: float(v) for k, v in found.get("losses", {}).items()}
        return found["detections"], losses

    def _step(self, shape: tuple[int, ...]) -> "_Step":
        # One each: seeing a second shape, Keras would compile for any shape, and
        # anchors are made for one that is known.
        eager = len(self._steps) >= _MOST_COMPILED and shape not in self._steps
        key = _EAGER if eager and keras.backend.backend() != "jax" else shape
        if key not in self._steps:
            step = _Step(self.detector, self.with_losses)
            step.run_eagerly = key == _EAGER
            self._steps[key] = step
        return self._steps[key]


class _Step(keras.Model):
    """What is compiled; shares the variables of the detector."""

    def __init__(self, detector: Any, with_losses: bool):
        super().__init__(name="evaluation_step")
        self.detector = detector
        self.with_losses = with_losses
        # XLA takes ten times as long on a CPU as TensorFlow's own kernels, and
        # torch would need a C++ compiler; JAX knows nothing else.
        self.jit_compile = keras.backend.backend() == "jax"
        self.built = True

    def call(self, inputs: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
        """Returns `detections`, fields of `Detections`, and `losses` by their name."""
        images = {k: v for k, v in inputs.items() if k != "groundtruth"}
        outputs = self.detector(images, training=False)
        detections = self.detector.detect(images, outputs)._replace(**_UNUSED)
        found = {"detections": present(detections)}
        if self.with_losses:
            truth = Groundtruth(**inputs["groundtruth"])
            found["losses"] = self.detector.loss_parts(outputs, truth, images)
        return found


def _read(groundtruth: Groundtruth, detector: Any) -> dict[str, Any]:
    """Returns what the loss of a detector reads, without masks that nobody does."""
    read = ("boxes", "classes", "valid", "weights", *detector.groundtruth_fields)
    return {k: v for k, v in present(groundtruth).items() if k in read}


def real_rows(found: Mapping[str, Any], i: int) -> dict[str, np.ndarray]:
    """Returns what was found in image `i` of a batch, without padding, by field.

    Masks, which are of the boxes, are called `box_masks`: those of groundtruth and of
    drawings are of whole images.
    """
    number = int(found["num"][i])
    rows = {k: np.asarray(v[i])[:number] for k, v in found.items() if k != "num"}
    if "masks" in rows:
        rows["box_masks"] = rows.pop("masks")
    return rows


def evaluation_model(detector: Any, with_losses: bool = False) -> EvaluationModel:
    """Returns the evaluation model of a detector, the same one at every call."""
    # Straight into the dict: Keras would track the model as a layer of the detector.
    models = vars(detector).setdefault(_CACHE, {})
    if with_losses not in models:
        models[with_losses] = EvaluationModel(detector, with_losses)
    return models[with_losses]


def regularization_loss(detector: Any) -> float | None:
    """Returns the sum of a detector's regularisers; None where none counts."""
    losses = detector.losses
    if not losses or not getattr(detector, "add_regularization", True):
        return None
    return float(sum(np.asarray(keras.ops.convert_to_numpy(v)) for v in losses))
