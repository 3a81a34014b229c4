"""Faster R-CNN: a region proposal network (RPN) and a second stage per proposal.

Shapes: b images, p proposals, k classes; feature maps `[b, h, w, c]`, crops
`[b, p, s, s, c]`, RoI features `[b, p, h, w, d]`. The third stage is a list of tasks,
such as the masks of Mask R-CNN.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from odapi.geometry.map_size import MapSize, is_static, map_size
from odapi.heads.rpn_head import RPN_BOXES, RPN_CLASSES, ProposalHead
from odapi.losses import rcnn
from odapi.models.detector import CLASSIFICATION, DETECTION, Detector, Inputs
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.models.two_stage.backbone_halves import backbone_variables
from odapi.models.two_stage.proposals import (
    Proposals,
    clip_anchors,
    inside_image,
)
from odapi.models.two_stage.rcnn_outputs import (
    BOXES,
    CLASSES,
    FEATURES,
    export_internals,
    image_size,
    pack_outputs,
    unpack_outputs,
    window_of,
)
from odapi.models.two_stage.roi_task import Regions, RoiTask
from odapi.models.two_stage.rois import (
    boxes_of_best_class,
    flatten_rois,
    in_window,
    unflatten_rois,
)
from odapi.models.two_stage.two_stage_parts import RcnnParts
from odapi.runtime.keras_objects import PACKAGE
from odapi.structures import Detections, Groundtruth, Tensor
from odapi.targets.anchors import cached_anchors
from odapi.targets.graph_anchors import anchors_of_size


@keras.saving.register_keras_serializable(PACKAGE)
class FasterRCNN(Detector):
    """Two-stage detector: proposes regions, then classifies and refines each.

    `call` returns the outputs of the first stage and its proposals, and in inference
    those of the second stage for all proposals. In training, `loss_parts` samples
    proposals and runs the second stage on them.

    Args:
        feature_extractor: Layer from normalized images to the feature maps of the RPN
            and of RoI pooling, largest first.
        roi_features: Layer from crops `[n, s, s, c]` to features `[n, h, w, d]`.
        rpn: Layer from maps to box codes and objectness of anchors.
        roi_boxes: Layer from features to class logits and box codes; None: the
            detector has one stage, and its detections are the proposals.
        parts: Parts without weights.
        tasks: Tasks of the third stage.
        seed: Seed of the random sampling of anchors and proposals.
        kwargs: As for `Detector`, without the names of the losses.

    Source: Ren et al. 2015 (https://arxiv.org/abs/1506.01497); the original's
    `meta_architectures/faster_rcnn_meta_arch.py`.
    """

    detects_any_size = True
    sums_over_batch = False

    def __init__(
        self,
        feature_extractor: FeatureExtractor,
        roi_features: keras.layers.Layer | None,
        rpn: ProposalHead,
        roi_boxes: keras.layers.Layer | None,
        parts: RcnnParts,
        tasks: Sequence[RoiTask] = (),
        seed: int = 0,
        **kwargs,
    ):
        names = [rcnn.RPN_LOCALIZATION, rcnn.RPN_OBJECTNESS]
        if roi_boxes is not None:
            names += [rcnn.BOX_LOCALIZATION, rcnn.BOX_CLASSIFICATION]
        names += [name for task in tasks for name in task.loss_names]
        super().__init__(loss_names=tuple(names), **kwargs)
        self.feature_extractor = feature_extractor
        self.roi_features: Any = roi_features
        self.rpn = rpn
        self.roi_boxes: Any = roi_boxes
        self.parts = parts
        self.tasks = tuple(tasks)
        self.task_layers = [task.head for task in tasks]
        fields = [f for task in tasks for f in task.groundtruth_fields]
        self.groundtruth_fields = tuple(dict.fromkeys(fields))
        self.tasks_take_crops = False
        self.sampling_seed = keras.random.SeedGenerator(seed)

    def build_heads(self, shapes: Sequence[tuple]) -> None:
        """Creates the variables of both stages, for the shapes of the feature maps."""
        self.rpn.build(shapes)
        if self.roi_boxes is not None:
            self.build_second_stage(shapes)

    def build_second_stage(self, maps: Sequence[tuple]) -> None:
        """Creates the variables of the second stage, for the shapes of the maps."""
        crop = (None, *self.parts.pooler.output_shape, maps[0][-1])
        if not self.roi_features.built:
            self.roi_features.build(crop)
        features = self.roi_features.compute_output_shape(crop)
        self.roi_boxes.build(features)
        # Features of fully connected layers have no spatial dimensions.
        self.tasks_take_crops = tuple(features[1:3]) == (1, 1)
        unpooled = (None, *self.parts.pooler.crop_shape, maps[0][-1])
        for layer in self.task_layers:
            layer.build(unpooled if self.tasks_take_crops else features)

    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Returns the outputs of both stages, by the original's names if it has one.

        Feature maps as "feature_maps/0" and so on; box codes `[b, anchors, 4]` and
        objectness `[b, anchors, 2]` of anchors; proposals `[b, p, ...]`; and in
        inference box codes `[b, p, k or 1, 4]` and class logits `[b, p, k + 1]`.
        """
        maps = self.extract(inputs, training)
        outputs = self.rpn(maps, training=training)
        return self.run_second_stage(maps, outputs, inputs, training)

    def run_second_stage(
        self,
        maps: list[Tensor],
        outputs: Mapping[str, Tensor],
        inputs: Inputs,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns `outputs` of the first stage with those of the second stage."""
        grids = [map_size(level) for level in maps]
        proposals = self.propose(outputs, inputs, training, grids)
        outputs = {**outputs, **pack_outputs(maps, proposals)}
        if self.roi_boxes is not None and not training:
            features = self.pool_and_encode(maps, proposals.boxes, inputs)
            outputs |= {**self.box_predictor(features), FEATURES: features}
        return outputs

    def anchors(self, inputs: Inputs, grids: Sequence[MapSize] | None = None) -> Tensor:
        """Returns the anchors `[anchors, 4]`, clipped.

        Args:
            inputs: Input dict of the detector.
            grids: Sizes of the feature maps; required if that of the images is known
                only when a graph runs.
        """
        size = image_size(inputs)
        if is_static(size):
            return ops.convert_to_tensor(clip_anchors(self.unclipped_anchors(size)))
        if grids is None:
            raise ValueError("the sizes of the feature maps are required")
        return ops.clip(anchors_of_size(self.parts.anchors, size, grids), 0.0, 1.0)

    def unclipped_anchors(self, image_size: tuple[int, int]) -> np.ndarray:
        """Returns the generated anchors `[anchors, 4]`, cached: do not modify."""
        grids = tuple(self.feature_extractor.grid_sizes(image_size))
        return cached_anchors(self.parts.anchors, image_size, grids)

    def valid_anchors(self, image_size: MapSize, training: bool) -> Tensor | None:
        """Returns the mask `[anchors]` of the anchors that are used; None: all."""
        if not training or self.parts.clip_anchors:
            return None
        return ops.convert_to_tensor(inside_image(self.unclipped_anchors(image_size)))

    def propose(
        self,
        outputs: Mapping[str, Tensor],
        inputs: Inputs,
        training: bool = False,
        grids: Sequence[MapSize] | None = None,
    ) -> Proposals:
        """Returns the proposals, normalized to the padded images; see `anchors`."""
        return self.parts.proposer(
            outputs[RPN_BOXES],
            outputs[RPN_CLASSES],
            self.anchors(inputs, grids),
            window_of(inputs),
            self.valid_anchors(image_size(inputs), training),
            keep_outside=training and self.parts.sampler.fills,
        )

    def crop(self, maps: Sequence[Tensor], boxes: Tensor, inputs: Inputs) -> Tensor:
        """Returns the pooled crops `[b, p, s, s, c]` of boxes `[b, p, 4]`."""
        return self.parts.pooler(maps, boxes, image_size(inputs))

    def pool_and_encode(
        self,
        maps: Sequence[Tensor],
        boxes: Tensor,
        inputs: Inputs,
        training: bool = False,
    ) -> Tensor:
        """Returns the features `[b, p, h, w, d]` of boxes `[b, p, 4]`.

        Args:
            maps: Feature maps that `extract` returned.
            boxes: Boxes, normalized to the padded images.
            inputs: Input dict of the detector.
            training: Whether layers run in training mode.
        """
        return self.box_head(self.crop(maps, boxes, inputs), training)

    def box_head(self, crops: Tensor, training: bool = False) -> Tensor:
        """Returns features `[b, p, h, w, d]` of crops `[b, p, s, s, c]`."""
        features = self.roi_features(flatten_rois(crops), training=training)
        return unflatten_rois(features, crops.shape[1])

    def box_predictor(
        self, features: Tensor, training: bool = False
    ) -> dict[str, Tensor]:
        """Returns box codes and class logits of features `[b, p, h, w, d]`."""
        classes, codes = self.roi_boxes(flatten_rois(features), training=training)
        number = features.shape[1]
        return {
            BOXES: unflatten_rois(codes, number),
            CLASSES: unflatten_rois(classes, number),
        }

    def loss_parts(
        self,
        outputs: Mapping[str, Tensor],
        groundtruth: Groundtruth,
        inputs: Inputs | None = None,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns the parts of the loss, weighted, without regularization."""
        if inputs is None:
            raise ValueError("the loss of a two-stage detector needs the inputs")
        found = self._rpn_losses(outputs, groundtruth, inputs, training)
        if self.roi_boxes is None:
            return found
        maps, proposals = unpack_outputs(outputs)
        seed = self.sampling_seed if training else None
        sample = self.parts.sampler(proposals, groundtruth, seed)
        # In inference the sample is all proposals, whose predictions are in `outputs`.
        features, predictions = outputs.get(FEATURES), outputs
        if training:
            features = self.pool_and_encode(maps, sample.boxes, inputs, training)
            predictions = self.box_predictor(features, training)
        found |= self.parts.box_loss(predictions[BOXES], predictions[CLASSES], sample)
        regions = self._regions(maps, sample.boxes, features, inputs)
        for task in self.tasks:
            found |= task.losses(regions, sample, groundtruth, training)
        return found

    def _regions(
        self, maps: list[Tensor], boxes: Tensor, features: Tensor | None, inputs: Inputs
    ) -> Regions:
        """Returns boxes with the features that tasks take."""
        if self.tasks_take_crops:
            features = None
        size = image_size(inputs)
        return Regions(boxes, features, lambda b: self.parts.pooler.crop(maps, b, size))

    def _rpn_losses(
        self,
        outputs: Mapping[str, Tensor],
        groundtruth: Groundtruth,
        inputs: Inputs,
        training: bool,
    ) -> dict[str, Tensor]:
        size = image_size(inputs)
        anchors = self.anchors(inputs)
        valid_anchors = self.valid_anchors(size, training)
        if valid_anchors is not None:
            # Without area an anchor overlaps no object and is never the best match.
            anchors = ops.where(valid_anchors[:, None], anchors, 0.0)
        objects = groundtruth._replace(
            classes=ops.zeros_like(groundtruth.classes),
            multiclass_scores=None,
            confidences=None,
        )
        targets = self.parts.rpn_assigner(anchors, objects, 1)
        return self.parts.rpn_loss(
            outputs[RPN_BOXES],
            outputs[RPN_CLASSES],
            targets,
            self.sampling_seed,
            valid_anchors,
        )

    def decode(
        self, inputs: Inputs, outputs: Mapping[str, Tensor], raw: bool = False
    ) -> Detections:
        """Returns the detections of raw outputs; see `Detector.detect`."""
        maps, proposals = unpack_outputs(outputs)
        grids = [map_size(level) for level in maps]
        window = window_of(inputs)
        if self.roi_boxes is None:
            anchors = self.anchors(inputs, grids)
            rpn = outputs[RPN_BOXES], outputs[RPN_CLASSES], anchors
            return self.parts.proposer.detections(proposals, *rpn, window, raw)
        boxes = self.parts.coder.decode(outputs[BOXES], proposals.boxes[:, :, None])
        found = self.parts.postprocess(
            boxes[:, :, 0] if boxes.shape[2] == 1 else boxes,
            outputs[CLASSES],
            window,
            raw,
            proposals.valid,
        )
        if raw:
            best = boxes_of_best_class(boxes, outputs[CLASSES])
            found = found._replace(raw_boxes=in_window(best, window))
        found = self._second_pass(maps, found, inputs, window, raw)
        if raw and self.tasks:
            size = image_size(inputs)
            tensors = export_internals(outputs, self.anchors(inputs, grids), size)
            found = found._replace(maps={**tensors, **(found.maps or {})})
        return found

    def _second_pass(
        self,
        maps: list[Tensor],
        found: Detections,
        inputs: Inputs,
        window: Tensor,
        raw: bool,
    ) -> Detections:
        """Returns detections with the features and task outputs of their boxes."""
        parts = self.parts
        if not (self.tasks or parts.box_features or parts.rpn_features):
            return found
        size = window[:, None, 2:]
        boxes = found.boxes * ops.concatenate([size, size], axis=-1)
        encodes = parts.box_features or bool(self.tasks and not self.tasks_take_crops)
        features = None
        if parts.rpn_features or encodes:
            crops = self.crop(maps, boxes, inputs)
            features = self.box_head(crops) if encodes else None
        if parts.rpn_features:
            found = found._replace(rpn_features=crops)
        if parts.box_features:
            found = found._replace(features=features)
        regions = self._regions(maps, boxes, features, inputs)
        for task in self.tasks:
            found = task.add_to_detections(regions, found, raw)
        return found

    def variables_for(self, kind: str) -> dict[str, keras.Variable]:
        """Returns the variables that a checkpoint of a kind of model can fill."""
        if kind == CLASSIFICATION:
            return backbone_variables(self.feature_extractor, self.roi_features)
        if kind != DETECTION:
            return super().variables_for(kind)
        layers = (self.feature_extractor, self.roi_features)
        prefixes = tuple(f"{layer.name}/" for layer in layers if layer is not None)
        named = self.named_variables()
        return {n: v for n, v in named.items() if n.startswith(prefixes)}
