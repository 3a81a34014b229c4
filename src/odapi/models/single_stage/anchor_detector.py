"""Single-stage detector with anchors: SSD, RetinaNet and EfficientDet."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import ops

from odapi.geometry.map_size import is_static, map_size
from odapi.heads.anchor_head import BOXES, CLASSES
from odapi.layers.pixels import PixelScaling
from odapi.losses import anchor_loss
from odapi.models.detector import (
    Detector,
    Inputs,
)
from odapi.models.postprocess import PostProcess
from odapi.models.preprocess import clip_window
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.runtime.keras_objects import PACKAGE
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.anchors import AnchorGenerator, cached_anchors
from odapi.targets.graph_anchors import anchors_of_size

# Sizes of the feature maps `[levels, 2]`, an output where only a graph knows them.
GRIDS = "grid_sizes"


@dataclasses.dataclass(frozen=True)
class AnchorParts:
    """Parts of an anchor detector without weights.

    Args:
        pixels: Pixel normalization of the backbone.
        anchors: Anchor generator.
        assigner: Assignment of targets to anchors.
        loss: Loss of the predictions.
        postprocess: Detections from predictions.
    """

    pixels: PixelScaling
    anchors: AnchorGenerator
    assigner: AnchorAssigner
    loss: anchor_loss.AnchorLoss
    postprocess: PostProcess


@keras.saving.register_keras_serializable(PACKAGE)
class AnchorDetector(Detector):
    """Detector that predicts boxes and classes of anchors on a feature pyramid.

    Args:
        feature_extractor: Layer from normalized images to feature maps.
        box_predictor: Layer from feature maps to box codes and class logits.
        parts: Parts without weights.
        seed: Seed of the random sampling of anchors, if the loss samples.
        kwargs: As for `Detector`, without the names of the losses.
    """

    zero_padding = True
    detects_any_size = True

    def __init__(
        self,
        feature_extractor: FeatureExtractor,
        box_predictor: keras.layers.Layer,
        parts: AnchorParts,
        seed: int = 0,
        **kwargs,
    ):
        names = (anchor_loss.LOCALIZATION, anchor_loss.CLASSIFICATION)
        super().__init__(loss_names=names, **kwargs)
        self.feature_extractor = feature_extractor
        self.box_predictor = box_predictor
        self.parts = parts
        has_keypoints = bool(getattr(parts.assigner.coder, "num_keypoints", 0))
        fields = ("multiclass_scores", "confidences", *(["keypoints"] * has_keypoints))
        self.groundtruth_fields = fields
        self.sampling_seed = None
        if parts.loss.sampler is not None:
            self.sampling_seed = keras.random.SeedGenerator(seed)

    def build_heads(self, shapes: Sequence[tuple]) -> None:
        """Creates the variables of the heads, for the shapes of the feature maps."""
        self.box_predictor.build(shapes)

    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Returns box codes `[b, anchors, 4]` and class logits `[b, anchors, n]`."""
        features = self.extract(inputs, training)
        outputs = self.predict_maps(features, training)
        if not is_static(map_size(inputs["images"])):
            # `decode` does not get the maps, and cannot know their sizes.
            outputs[GRIDS] = ops.stack([ops.stack(map_size(x)) for x in features])
        return outputs

    def predict_maps(
        self, features: list[Tensor], training: bool = False
    ) -> dict[str, Tensor]:
        """Returns the outputs of the heads for the feature maps."""
        return self.box_predictor(features, training=training)

    def anchors(self, image_size: tuple[int, int]) -> np.ndarray:
        """Returns the anchors `[anchors, 4]` of images `(h, w)`, normalized."""
        grids = tuple(self.feature_extractor.grid_sizes(image_size))
        return cached_anchors(self.parts.anchors, image_size, grids)

    def loss_parts(
        self,
        outputs: Mapping[str, Tensor],
        groundtruth: Groundtruth,
        inputs: Inputs | None = None,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns the parts of the loss, weighted, without regularization."""
        size = self.image_size
        if inputs is not None:
            size = inputs["images"].shape[1], inputs["images"].shape[2]
        if size is None:
            raise ValueError("inputs are required: the size of the images varies")
        anchors = ops.convert_to_tensor(self.anchors(size))
        targets = self.parts.assigner(anchors, groundtruth, self.num_classes)
        return self.parts.loss(
            outputs[BOXES], outputs[CLASSES], targets, anchors, seed=self.sampling_seed
        )

    def decode(
        self, inputs: Inputs, outputs: Mapping[str, Tensor], raw: bool = False
    ) -> Detections:
        """Returns the detections of raw outputs; see `Detector.detect`."""
        images = inputs["images"]
        size = map_size(images)
        if is_static(size):
            anchors = ops.convert_to_tensor(self.anchors(size))
        else:
            grids = [tuple(ops.unstack(g, 2)) for g in ops.unstack(outputs[GRIDS])]
            anchors = anchors_of_size(self.parts.anchors, size, grids)
        boxes = self.parts.assigner.coder.decode(outputs[BOXES], anchors)
        window = clip_window(inputs.get("true_size"), size, ops.shape(images)[0])
        return self.parts.postprocess(boxes, outputs[CLASSES], window, raw)
