"""The contract of detectors: what training, evaluation and export rely on."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from odapi.layers.names import named_variables
from odapi.losses.names import REGULARIZATION_LOSS, TOTAL_LOSS
from odapi.models.preprocess import normalize
from odapi.structures import Detections, Groundtruth, Tensor

# The part of a detector that a checkpoint of another kind of model can fill.
FULL, DETECTION, CLASSIFICATION = "full", "detection", "classification"

Inputs = Mapping[str, Tensor]


class Detector(keras.Model, abc.ABC):
    """A model that finds objects in images.

    Inputs are a dict: `images [b, h, w, 3]`, uint8 or float32 in 0 to 255, resized
    and padded at the bottom and right; `true_size [b, 2]` int32, height and width
    without the padding, may be left out where there is none. Train with `fit` on
    pairs of such a dict and `present(groundtruth)`.

    Args:
        num_classes: Classes, without the background.
        image_size: Height and width of the images; None if they vary.
        max_detections: Objects that are found in an image, at most.
        loss_names: The names that `loss_parts` gives.
        add_regularization: Whether the regularization of the weights is part of
            the loss.

    Attributes:
        feature_extractor: Layer with a `backbone`; a subclass sets it.
        loss_trackers: Means of the parts of the loss since the last reset, by the
            original's names.
        groundtruth_fields: Optional fields of `Groundtruth` that the loss reads.
        side_inputs: Shape, without the batch, and dtype of what it reads besides the
            images, by name; it can do without.
        num_replicas: Copies of the model that share a batch under a distribution
            strategy of TensorFlow; their gradients are summed, so each loss is
            divided by it.
    """

    feature_extractor: Any
    parts: Any  # Frozen dataclass of the parts without weights; has `pixels`.
    # SSD sets padding to zero after normalization; the other families of the original
    # pad first, so that padding is normalized like any pixel.
    zero_padding = False

    def __init__(
        self,
        num_classes: int,
        image_size: tuple[int, int] | None,
        max_detections: int,
        loss_names: tuple[str, ...],
        add_regularization: bool = True,
        **kwargs,
    ):
        # Pixels in 0 to 255 must not be rounded to half precision.
        super().__init__(autocast=False, **kwargs)
        self.num_classes = num_classes
        self.image_size = image_size
        self.max_detections = max_detections
        self.add_regularization = add_regularization
        self.groundtruth_fields: tuple[str, ...] = ()
        self.side_inputs: dict[str, tuple[tuple[int, ...], str]] = {}
        self.num_replicas = 1
        names = [
            *loss_names,
            *([REGULARIZATION_LOSS] if add_regularization else []),
            TOTAL_LOSS,
        ]
        self.loss_trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def build(self, input_shape: Any) -> None:
        """Creates the variables, for images `[b, h, w, 3]`."""
        if isinstance(input_shape, Mapping):
            input_shape = input_shape["images"]
        shape = (*input_shape[:3], 3)
        self.feature_extractor.build(shape)
        self.build_heads(self.feature_extractor.compute_output_shape(shape))

    @abc.abstractmethod
    def build_heads(self, shapes: Sequence[tuple]) -> None:
        """Creates the variables of the heads, for the shapes of the feature maps."""

    def preprocess(self, inputs: Inputs) -> Tensor:
        """Returns the images as the backbone expects them, float32."""
        true_size = inputs.get("true_size") if self.zero_padding else None
        return normalize(inputs["images"], self.parts.pixels, true_size)

    def extract(self, inputs: Inputs, training: bool = False) -> list[Tensor]:
        """Returns the feature maps that the heads take, largest first."""
        return self.feature_extractor(self.preprocess(inputs), training=training)

    @abc.abstractmethod
    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Returns the raw outputs of the heads, float32, by name."""

    @abc.abstractmethod
    def loss_parts(
        self,
        outputs: Mapping[str, Tensor],
        groundtruth: Groundtruth,
        inputs: Inputs | None = None,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns the parts of the loss, weighted, without regularization.

        Args:
            outputs: What `call` returned.
            groundtruth: The objects of the same images.
            inputs: The images; may be left out where all have one size and no
                padding.
            training: Whether layers that the loss runs work as in training.
        """

    def detect(
        self,
        inputs: Inputs,
        outputs: Mapping[str, Tensor] | None = None,
        raw: bool = False,
    ) -> Detections:
        """Returns the objects found, normalized to the images without padding.

        Args:
            inputs: The images.
            outputs: What `call` returned for them; None to call.
            raw: Also return all boxes and scores before non-maximum suppression (NMS).
        """
        if outputs is None:
            outputs = self(inputs, training=False)
        return self.decode(inputs, outputs, raw)

    @abc.abstractmethod
    def decode(
        self, inputs: Inputs, outputs: Mapping[str, Tensor], raw: bool = False
    ) -> Detections:
        """Returns the detections of raw outputs; see `detect`."""

    def variables_for(self, kind: str) -> dict[str, keras.Variable]:
        """Returns the variables that a checkpoint of a kind of model can fill.

        Args:
            kind: "full" for all, "detection" for the feature extractor,
                "classification" for the backbone, named as a file with backbone
                weights names them: "layer/variable".

        Raises:
            ValueError: There is no such kind.
        """
        if kind == FULL:
            return self.named_variables()
        if kind == CLASSIFICATION:
            return named_variables(self.feature_extractor.backbone)
        if kind == DETECTION:
            prefix = f"{self.feature_extractor.name}/"
            return {
                name: variable
                for name, variable in self.named_variables().items()
                if name.startswith(prefix)
            }
        raise ValueError(
            f"kind must be {FULL}, {DETECTION} or {CLASSIFICATION}, got {kind!r}"
        )

    def compile(self, *args, **kwargs) -> None:
        """Prepares for `fit`; see `keras.Model.compile`."""
        super().compile(*args, **kwargs)
        if self.built and self.optimizer is not None and not self.optimizer.built:
            # Else TensorFlow traces the first step twice, to make these variables.
            self.optimizer.build(self.trainable_variables)

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns all weights by names that the structure gives, always the same."""
        return named_variables(self)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Returns the loss that training minimizes, and updates the trackers."""
        truth = Groundtruth(**_complete(y))
        parts = dict(self.loss_parts(y_pred, truth, x, training))
        if self.add_regularization:
            parts[REGULARIZATION_LOSS] = self.regularization()
        total = sum(parts.values())
        for name, value in (parts | {TOTAL_LOSS: total}).items():
            self.loss_trackers[name].update_state(value)
        return total / self.num_replicas if self.num_replicas > 1 else total

    def regularization(self) -> Tensor:
        """Returns the sum of the regularization of all weights."""
        losses = self.losses
        return sum(losses) if losses else ops.zeros((), "float32")


def _complete(y: Mapping[str, Any]) -> dict[str, Any]:
    """Fills in the fields of a groundtruth that say nothing new."""
    y = dict(y)
    if "valid" not in y:
        y["valid"] = ops.ones(ops.shape(y["classes"]), "bool")
    if "weights" not in y:
        y["weights"] = ops.cast(y["valid"], "float32")
    return y
