"""The contract of detectors: what training, evaluation and export rely on."""

import abc
import dataclasses
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from odapi.errors import ConfigError
from odapi.labels import LabelMap
from odapi.layers.names import named_variables
from odapi.layers.norm import moving_statistics_of_replicas
from odapi.layers.reduced_precision import multiplies_in_float16
from odapi.losses.names import REGULARIZATION_LOSS, TOTAL_LOSS
from odapi.models.compile_by_shape import CompiledByShape
from odapi.models.inputs import as_groundtruth, as_inputs
from odapi.models.preprocess import normalize
from odapi.runtime import keras_objects
from odapi.runtime.compat import flatten_layers, skip_symbolic_build
from odapi.runtime.distribution import replicas
from odapi.structures import Detections, Groundtruth, Tensor, present

# The part of a detector that a checkpoint of another kind of model can fill.
FULL, DETECTION, CLASSIFICATION = "full", "detection", "classification"

# Fields of `Detections` with values of every anchor or pixel: megabytes per image.
_NOT_PREDICTED = ("raw_boxes", "raw_scores", "multiclass_scores", "maps")

Inputs = Mapping[str, Tensor]


class Detector(keras.Model, abc.ABC):
    """Object detector, a `keras.Model`.

    Inputs are images `[b, h, w, 3]`, uint8 or float32 in 0 to 255, resized and padded
    at the bottom and right; or a dict of `images` and, where they have padding,
    `true_size [b, 2]` int32, their height and width without it. `fit` and `evaluate`
    take pairs of inputs and a groundtruth dict, `predict` returns detections; see
    docs/keras.md.

    Args:
        num_classes: Number of classes, without the background.
        image_size: Height and width of the images; None if they vary.
        max_detections: Maximum number of detections per image.
        loss_names: Names of the parts of the loss.
        add_regularization: Whether the regularization of the weights is part of the
            loss.
        num_channels: Channels of the images; after the first three, RGB, come
            additional ones.

    Attributes:
        feature_extractor: Layer with a `backbone`; a subclass sets it.
        loss_trackers: Means of the parts of the loss since the last reset, by the
            original's names.
        groundtruth_fields: Optional fields of `Groundtruth` that the loss reads.
        side_inputs: Shape, without the batch, and dtype of optional inputs besides
            the images, by name.
        pipeline_config: Text of the pipeline config it was built from; "" for a
            detector that was assembled from parts.
        label_map: Names of the classes, where they are known.
    """

    feature_extractor: Any
    parts: Any  # Frozen dataclass of the parts without weights; has `pixels`.
    # SSD sets padding to zero after normalization; the other families of the original
    # pad first, so that padding is normalized like any pixel.
    zero_padding = False
    # Whether losses are normalized by sums over the objects of a batch, rather than
    # averaged over its images.
    sums_over_batch = True
    # Whether `detect` can be traced for images whose size only the graph knows.
    detects_any_size = False

    def __init__(
        self,
        num_classes: int,
        image_size: tuple[int, int] | None,
        max_detections: int,
        loss_names: tuple[str, ...],
        add_regularization: bool = True,
        num_channels: int = 3,
        **kwargs,
    ):
        # Pixels in 0 to 255 must not be rounded to half precision.
        super().__init__(autocast=False, **kwargs)
        self.num_classes = num_classes
        self.image_size = image_size
        self.max_detections = max_detections
        self.add_regularization = add_regularization
        self.num_channels = num_channels
        self.groundtruth_fields: tuple[str, ...] = ()
        self.side_inputs: dict[str, tuple[tuple[int, ...], str]] = {}
        self.pipeline_config = ""
        self.label_map: LabelMap | None = None
        names = [
            *loss_names,
            *([REGULARIZATION_LOSS] if add_regularization else []),
            TOTAL_LOSS,
        ]
        self.loss_trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Returns what `call` returns, for the input dict or images alone."""
        inputs = as_inputs(inputs, self.num_channels)
        return super().__call__(inputs, *args, **kwargs)

    def stateless_call(
        self, trainable: Any, others: Any, inputs: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Calls with variables that are given; `fit` of JAX skips `__call__`."""
        return super().stateless_call(
            trainable,
            others,
            as_inputs(inputs, self.num_channels),
            *args,
            **kwargs,
        )

    def build(self, input_shape: Any) -> None:
        """Creates the variables, for images `[b, h, w, num_channels]`."""
        if isinstance(input_shape, Mapping):
            input_shape = input_shape["images"]
        shape = (*input_shape[:3], self.num_channels)
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
        """Returns the detections, normalized to the images without padding.

        Args:
            inputs: The input dict, or images alone.
            outputs: What `call` returned for them; None to call.
            raw: Also return all boxes and scores before non-maximum suppression (NMS).
        """
        inputs = as_inputs(inputs, self.num_channels)
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

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **kwargs) -> None:
        """Prepares for `fit`; see `keras.Model.compile`.

        Args:
            optimizer: An optimizer of Keras, or its name.
            loss: None: a detector computes its own losses.
            kwargs: As for `keras.Model.compile`.

        Raises:
            ConfigError: There is a loss.
        """
        if loss is not None or kwargs.get("loss_weights") is not None:
            raise ConfigError(
                "compile",
                "a detector computes its own losses, it takes no loss or loss_weights",
                hint="weights of the losses are fields of its pipeline config",
            )
        if multiplies_in_float16(flatten_layers(self)):
            # Keras does so for layers with the policy mixed_float16 only.
            optimizer = keras.optimizers.get(optimizer)
            if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        super().compile(optimizer=optimizer, **kwargs)
        if self.built and replicas.num_replicas_in_scope() > 1:
            skip_symbolic_build(self)
        if self.built and self.optimizer is not None and not self.optimizer.built:
            # Else TensorFlow traces the first step twice, to make these variables.
            self.optimizer.build(self.trainable_variables)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as a saved detector was; its optimizer gets its state back.

        Where the optimizer cannot be restored, the detector is left uncompiled.
        """
        try:
            arguments = keras.saving.deserialize_keras_object(config)
        except (TypeError, ValueError) as error:
            warnings.warn(
                f"the optimizer of the saved detector cannot be restored ({error}); "
                "call compile() before fit()",
                stacklevel=2,
            )
            return
        self.compile(**arguments)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns what `compile` was called with; None if it was not."""
        return super().get_compile_config() or None

    def named_variables(self) -> dict[str, keras.Variable]:
        """Returns all weights by names that the structure gives, always the same."""
        return named_variables(self)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Returns the loss that training minimizes, and updates the trackers."""
        if sample_weight is not None:
            raise ConfigError(
                "sample_weight",
                "is not used by a detector",
                hint="give every object a weight: groundtruth['weights'] [b, n]",
            )
        truth = as_groundtruth(y, self.groundtruth_fields)
        inputs = None if x is None else as_inputs(x, self.num_channels)
        parts = dict(self.loss_parts(y_pred, truth, inputs, training))
        if self.add_regularization:
            parts[REGULARIZATION_LOSS] = self.regularization()
        total = sum(parts.values())
        for name, value in (parts | {TOTAL_LOSS: total}).items():
            self.loss_trackers[name].update_state(value)
        number = replicas.num_replicas()
        if number == 1:
            return total
        if training:
            moving = moving_statistics_of_replicas(flatten_layers(self))
            replicas.average_over_replicas(moving)
        return total / number  # Keras adds the gradients of all replicas.

    def predictions(
        self, inputs: Any, outputs: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Returns the fields of the detections of a batch, by name.

        Args:
            inputs: The input dict, or images alone.
            outputs: What `call` returned for them; None to call.
        """
        return predicted_fields(self.detect(inputs, outputs))

    def predict_step(self, *args: Any) -> Any:
        """Returns `predictions` of a batch.

        Keras passes the batch; on JAX the variables first, which it wants back.
        """
        *state, data = args
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if not state:
            return self.predictions(inputs)
        trainable, others = state[0]
        mapping = [
            *zip(self.trainable_variables, trainable, strict=True),
            *zip(self.non_trainable_variables, others, strict=True),
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return self.predictions(inputs), others

    def make_predict_function(self, force: bool = False) -> Any:
        """Compiles `predict_step`, once per image size."""
        return self._make_by_shape("predict_function", force)

    def make_test_function(self, force: bool = False) -> Any:
        """Compiles `test_step`, once per image size."""
        return self._make_by_shape("test_function", force)

    def _make_by_shape(self, name: str, force: bool) -> Any:
        made = getattr(self, name)
        if made is not None and not force:
            return made
        make = getattr(super(), f"make_{name}")
        on_tensorflow = keras.backend.backend() == "tensorflow"
        if not on_tensorflow or self.run_eagerly or self.steps_per_execution > 1:
            return make(force=force)

        def make_another() -> Any:
            make(force=True)
            return getattr(self, name)

        setattr(self, name, CompiledByShape(make_another))
        return getattr(self, name)

    def require_config(self, purpose: str = "", alternative: str = "") -> str:
        """Returns the text of the pipeline config that the detector was built from.

        Args:
            purpose, alternative: Ends of the message and of the hint of the error.

        Raises:
            ConfigError: It was assembled from parts, without a config.
        """
        if not self.pipeline_config:
            raise ConfigError(
                type(self).__name__,
                f"was assembled from parts and has no pipeline config{purpose}",
                hint="build it by odapi.build_detector(config) or a constructor of "
                f"odapi.models{alternative}",
            )
        return self.pipeline_config

    def get_config(self) -> dict[str, Any]:
        """Returns what a detector is rebuilt from: its pipeline config and classes.

        Raises:
            ConfigError: It was assembled from parts, without a config.
        """
        config: dict[str, Any] = {
            # First, so that an error of Keras shows it.
            "note": "`import odapi` before keras.models.load_model",
            "pipeline_config": self.require_config(
                " to be rebuilt from, so that it cannot be saved as a whole or cloned",
                "; or use save_weights and load_weights",
            ),
        }
        if self.label_map is not None:
            # Through JSON: Keras would write tuples in a form of its own.
            classes = json.dumps(dataclasses.asdict(self.label_map))
            config["label_map"] = json.loads(classes)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Detector":
        """Returns the detector that `get_config` describes, with initial weights."""
        return keras_objects.rebuild(config)

    def regularization(self) -> Tensor:
        """Returns the sum of the regularization of all weights."""
        losses = self.losses
        return sum(losses) if losses else ops.zeros((), "float32")


def predicted_fields(detections: Detections) -> dict[str, Tensor]:
    """Returns the fields of detections that are values of detections, by name."""
    return present(detections._replace(**dict.fromkeys(_NOT_PREDICTED)))
