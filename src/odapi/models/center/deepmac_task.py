"""DeepMAC: masks from boxes, also of classes without groundtruth masks.

Source: Birodkar et al. 2021 (https://arxiv.org/abs/2104.00613); the original's
`deepmac_meta_arch.py`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from odapi.fields import FIELDS
from odapi.geometry.affine import transform_boxes, transform_images, transform_masks
from odapi.geometry.box_maps import (
    coordinates_from_centers,
    crop_coordinates,
    exclusive_in_class,
    fill_boxes,
    fill_crops,
)
from odapi.geometry.crop.crop_and_resize import crop_and_resize, crop_each_mask
from odapi.geometry.gather import gather_cells, gather_rows
from odapi.layers.group_statistics import per_group_statistics
from odapi.losses.color_space import rgb_to_lab
from odapi.losses.masks import (
    box_consistency_loss,
    feature_consistency_loss,
    mask_loss,
    point_loss,
    self_training_loss,
)
from odapi.models.center.mask_nets import MaskShape
from odapi.models.center.mask_supervision import ColorSupervision, Supervision
from odapi.models.center.task import STRIDE, Frame, Head, Maps, Peaks, Task
from odapi.runtime.distribution.replicas import random_rows
from odapi.structures import Detections, Groundtruth, Tensor, present
from odapi.targets.mask_targets import resize_masks

PIXELS, INSTANCES = "PIXEL_EMBEDDING", "INSTANCE_EMBEDDING"
MASK, BOXES, COLORS, POINTS, SELF = (
    f"Loss/deep_mask_{name}"
    for name in (
        "estimation",
        "box_consistency",
        "feature_consistency",
        "pointly_supervised",
        "augmented_self_supervision",
    )
)
_SHAPE = MaskShape()


@dataclasses.dataclass(frozen=True, eq=False)
class DeepMac(Task):
    """Predicts masks from the crops of boxes and the embeddings at their centers.

    Args:
        net: Mask head, built; see `odapi.models.center.mask_nets`.
        supervision: Losses of the masks.
        shape: Input of the mask head and size of the masks.
        embedding: Length of an instance embedding.
        pixels: Channels of the pixel embedding, from which boxes are cropped.
    """

    net: keras.layers.Layer
    supervision: Supervision
    shape: MaskShape = _SHAPE
    embedding: int = 256
    pixels: int = 16

    def __post_init__(self):
        supervision = self.supervision
        if self.shape.whole and supervision.jitter:
            raise ValueError(
                "max_roi_jitter_ratio has no effect with "
                "predict_full_resolution_masks, which crops no boxes"
            )
        for name, wanted in (
            ("feature_consistency_loss_weight", supervision.colors),
            ("pointly_supervised_keypoint_loss_weight", supervision.points),
        ):
            if wanted and not self.shape.whole:
                raise ValueError(
                    f"{name} needs predict_full_resolution_masks: true; the original "
                    "has no such loss for cropped masks"
                )

    @property
    def heads(self) -> tuple[Head, ...]:
        """Heads whose outputs it reads."""
        # The kernels of the original are one cell high.
        return (
            Head(INSTANCES, self.embedding, kernels=((1, 3),)),
            Head(PIXELS, self.pixels, kernels=((1, 3),)),
        )

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """The mask head."""
        return (self.net,)

    @property
    def loss_names(self) -> tuple[str, ...]:
        """Keys of the dict that `losses` returns."""
        return tuple(self._weights)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its losses read."""
        masks = ("masks", "mask_weights") if self.supervision.masks else ()
        points = ("keypoints", "keypoint_depths") if self.supervision.points else ()
        return (*masks, *points)

    @property
    def needs_features(self) -> bool:
        """True if `losses` reads `Frame.features`."""
        return self.supervision.colors is not None and self.supervision.colors.features

    @property
    def predicts_masks_from_boxes(self) -> bool:
        """True if `masks_from_boxes` is implemented."""
        return True

    @property
    def _weights(self) -> dict[str, float]:
        """Weight of each active loss."""
        supervision = self.supervision
        weights = {
            MASK: supervision.masks,
            BOXES: supervision.boxes.weight if supervision.boxes else 0.0,
            COLORS: supervision.colors.weight if supervision.colors else 0.0,
            POINTS: supervision.points,
            SELF: supervision.self_training.weight
            if supervision.self_training
            else 0.0,
        }
        return {name: weight for name, weight in weights.items() if weight > 0}

    def detect(
        self, maps: Maps, peaks: Peaks, detections: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with the probabilities of their masks."""
        height, width = frame.map_size
        cells = ops.convert_to_tensor([height, width] * 2, dtype="float32")
        return detections._replace(
            masks=self.masks_from_boxes(maps, detections.boxes_strided / cells)
        )

    def masks_from_boxes(self, maps: Maps, boxes: Tensor) -> Tensor:
        """Returns masks `[b, n, h, w]` of boxes; see `Task.masks_from_boxes`."""
        logits = self.logits(maps, boxes, training=False)
        if self.shape.whole:
            size = (logits.shape[2] * STRIDE, logits.shape[3] * STRIDE)
            crop = (self.shape.crop, self.shape.crop)
            logits = crop_each_mask(
                resize_masks(logits, size), boxes, crop, zero_pad_border=True
            )
        return ops.sigmoid(logits)

    def logits(
        self,
        maps: Maps,
        boxes: Tensor,
        training: bool = False,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Returns the mask logits of boxes.

        Args:
            maps: Outputs of the heads after a stage.
            boxes: `[b, n, 4]` normalized to the maps.
            training: Whether norms use the statistics of the boxes of each image. So
                did the version of the original that trained the published
                checkpoints; newer versions use those of the batch with padding.
            valid: Mask `[b, n]` of the boxes, in training.

        Returns:
            `[b, n, h, w]`, within the boxes or of the whole maps.
        """
        crops = self._crops(maps[PIXELS], boxes)
        height, width, channels = crops.shape[2:]
        embeddings = self._embeddings(maps[INSTANCES], boxes)
        inputs = (
            ops.reshape(crops, (-1, height, width, channels)),
            ops.reshape(embeddings, (-1, self.embedding)),
        )
        if training and valid is not None:
            with per_group_statistics(ops.cast(valid, "float32")):
                logits = self.net(*inputs, training=True)
        else:
            logits = self.net(*inputs, training=training)
        # The number of boxes may be unknown while a graph is traced.
        return ops.reshape(logits, (*ops.shape(boxes)[:2], height, width))

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses; see `Task.losses`.

        Each is a mean over the objects per image, then over images and stages.
        """
        rng = getattr(self.net, "rng", None)
        truth = self._sampled(truth, frame, rng)
        used = stages[-1:] if self.supervision.last_stage else stages
        boxes = ops.stop_gradient(truth.boxes)
        jitter = self.supervision.jitter if frame.training else None
        crops = jitter(boxes, rng) if jitter else boxes
        transformed = self._transformed(used, crops, truth.valid, frame, rng)
        weights = ops.where(truth.valid, truth.weights, 0.0)
        known = weights * self._known(truth)
        totals = {name: 0.0 for name in self._weights}
        for maps, other in zip(used, transformed, strict=True):
            logits = self.logits(maps, crops, frame.training, truth.valid)
            for name, value in self._stage_losses(
                logits, other, truth, crops, frame
            ).items():
                counts = known if name == MASK else weights
                total = ops.maximum(ops.sum(counts, axis=1), 1.0)
                each = ops.sum(value * counts, axis=1) / total
                totals[name] = totals[name] + ops.mean(each)
        return {
            name: totals[name] * (weight / len(used))
            for name, weight in self._weights.items()
        }

    def _stage_losses(
        self,
        logits: Tensor,
        other: Tensor | None,
        truth: Groundtruth,
        crops: Tensor,
        frame: Frame,
    ) -> dict[str, Tensor]:
        """Returns the unweighted losses `[b, n]` of one stage."""
        supervision = self.supervision
        size = tuple(logits.shape[2:])
        if self.shape.whole:
            inside = fill_boxes(truth.boxes, size)
        else:
            inside = fill_crops(truth.boxes, crops, size)
        found = {}
        if MASK in self._weights:
            found[MASK] = self._mask_loss(logits, truth, crops)
        if supervision.boxes is not None:
            options = supervision.boxes
            found[BOXES] = box_consistency_loss(
                supervision.loss, logits, inside, options.normalize, options.tight
            )
        if supervision.colors is not None:
            found[COLORS] = self._color_loss(supervision.colors, logits, inside, frame)
        if supervision.points:
            found[POINTS] = point_loss(
                supervision.loss, logits, truth.keypoints, truth.keypoint_depths
            )
        if supervision.self_training is not None:
            if other is None:
                found[SELF] = ops.zeros_like(truth.weights)
            else:
                value = self_training_loss(
                    logits, other, inside, supervision.self_training.kind
                )
                found[SELF] = value * supervision.self_training.warm_up(frame.step)
        return {name: v for name, v in found.items() if name in self._weights}

    def _crops(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """Returns the input maps of the mask head per box, `[b, n, h, w, c]`."""
        size, number = (self.shape.side, self.shape.side), ops.shape(boxes)[1]
        if self.shape.whole:
            size = tuple(maps.shape[1:3])
            shape = (ops.shape(maps)[0], number, *maps.shape[1:])
            crops = ops.broadcast_to(maps[:, None], shape)
        else:
            crops = crop_and_resize(maps, boxes, size, zero_pad_border=True)
        if not self.shape.use_xy:
            return crops
        if self.shape.whole:
            coordinates = coordinates_from_centers(boxes, size)
        else:
            coordinates = crop_coordinates(number, size, ops.shape(maps)[0])
        return ops.concatenate([coordinates, crops], axis=-1)

    def _embeddings(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """Returns the instance embedding at the center of each box, `[b, n, e]`."""
        height, width = maps.shape[1:3]
        cells = ops.convert_to_tensor([height, width], dtype="float32")
        first, last = boxes[..., :2] * cells, boxes[..., 2:] * cells
        # In the original's order: rounding matters for centers on the edge of a cell.
        center = first + (last - first) / 2.0
        y = ops.clip(ops.cast(center[..., 0], "int32"), 0, height - 1)
        x = ops.clip(ops.cast(center[..., 1], "int32"), 0, width - 1)
        return gather_cells(maps, y, x)

    def _known(self, truth: Groundtruth) -> Tensor:
        """Returns `[b, n]` float32: 1 for objects with groundtruth masks to learn."""
        known = ops.ones_like(truth.weights)
        if self.supervision.classes:
            chosen = ops.convert_to_tensor(self.supervision.classes, dtype="int32")
            classes = ops.cast(truth.classes, "int32")
            there = ops.any(classes[..., None] == chosen, axis=-1)
            known = ops.cast(there, "float32")
        if truth.mask_weights is not None:
            known = known * ops.cast(truth.mask_weights > 0, "float32")
        return known

    def _sampled(self, truth: Groundtruth, frame: Frame, rng: Any) -> Groundtruth:
        """Returns a subset of the objects: random in training, else the first."""
        count, number = self.supervision.num_samples, truth.boxes.shape[1]
        if not 0 < count < number:
            return truth
        order = 1.0 - ops.arange(number, dtype="float32") / number
        order = ops.broadcast_to(order, ops.shape(truth.weights))
        if frame.training:
            order = random_rows(ops.shape(truth.weights), rng)
        there = ops.logical_and(truth.valid, truth.weights > 0.5)
        _, rows = ops.top_k(ops.where(there, order, -1.0), count)
        fields = {
            name: gather_rows(value, rows)
            for name, value in present(truth).items()
            if name in FIELDS or name == "valid"
        }
        return Groundtruth(**fields)

    def _transformed(
        self,
        used: Sequence[Maps],
        crops: Tensor,
        valid: Tensor,
        frame: Frame,
        rng: Any,
    ) -> Sequence[Tensor | None]:
        """Returns the logits of transformed images, transformed back, per stage."""
        self_training = self.supervision.self_training
        if self_training is None or not frame.training or frame.rerun is None:
            return [None] * len(used)
        motion = self_training.draw(ops.shape(crops)[0], rng)
        boxes = transform_boxes(crops, motion)
        stages = frame.rerun(lambda images: transform_images(images, motion))
        found = []
        for maps in stages[-len(used) :]:
            logits = self.logits(maps, boxes, frame.training, valid)
            if self.shape.whole:
                logits = transform_masks(logits, motion.inverse())
            else:  # A crop moves with its box, so that only the flip is to be undone.
                flip = motion.flip[:, None, None, None]
                logits = ops.where(flip, ops.flip(logits, axis=-1), logits)
            found.append(ops.stop_gradient(logits))
        return found

    def _mask_loss(self, logits: Tensor, truth: Groundtruth, crops: Tensor) -> Tensor:
        if truth.masks is None:
            return ops.zeros_like(truth.weights)
        size = tuple(logits.shape[2:])
        if self.shape.whole:
            size = tuple(truth.masks.shape[2:])
            logits = resize_masks(logits, size)
            targets = ops.cast(truth.masks, "float32")
        else:
            targets = crop_each_mask(truth.masks, crops, size, zero_pad_border=True)
        if self.supervision.exclusive:
            parts = (truth.boxes, truth.classes, truth.valid)
            if self.shape.whole:
                exclusive = exclusive_in_class(*parts, size)
            else:
                whole = tuple(n // STRIDE for n in truth.masks.shape[2:])
                exclusive = crop_each_mask(
                    exclusive_in_class(*parts, whole), crops, size, zero_pad_border=True
                )
            logits = logits * exclusive
        return mask_loss(self.supervision.loss, logits, ops.stop_gradient(targets))

    def _color_loss(
        self, options: ColorSupervision, logits: Tensor, inside: Tensor, frame: Frame
    ) -> Tensor:
        size = tuple(logits.shape[2:])
        features = frame.features
        if not options.features:
            features = None if frame.images is None else frame.images[..., :3]
        if features is None:
            raise ValueError("the feature consistency loss needs the images")
        features = ops.image.resize(
            ops.cast(features, "float32"),
            size,
            interpolation="bilinear",
            data_format="channels_last",
        )
        if not options.features:
            features = rgb_to_lab(features / 255.0)
        value = feature_consistency_loss(
            logits,
            ops.stop_gradient(features),
            inside,
            options.dilation,
            options.threshold,
            options.dot_product,
        )
        return value * options.warm_up(frame.step)
