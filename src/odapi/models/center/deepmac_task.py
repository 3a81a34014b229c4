"""DeepMAC: masks of any box, of classes that masks were never seen of.

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
    """Predicts the mask in a box from what the box shows and a vector at its center.

    Args:
        net: The mask head, built; see `odapi.models.center.mask_nets`.
        learns: What masks are learnt from.
        shape: What the mask head sees.
        embedding: Numbers in the vector of an object.
        pixels: Channels of the map that is cut out.
    """

    net: keras.layers.Layer
    learns: Supervision
    shape: MaskShape = _SHAPE
    embedding: int = 256
    pixels: int = 16

    def __post_init__(self):
        learns = self.learns
        if self.shape.whole and learns.jitter:
            raise ValueError(
                "max_roi_jitter_ratio has no meaning with "
                "predict_full_resolution_masks: no boxes are cut out"
            )
        for name, wanted in (
            ("feature_consistency_loss_weight", learns.colors),
            ("pointly_supervised_keypoint_loss_weight", learns.points),
        ):
            if wanted and not self.shape.whole:
                raise ValueError(
                    f"{name} needs predict_full_resolution_masks: true; the original "
                    "has no such loss for masks of boxes"
                )

    @property
    def heads(self) -> tuple[Head, ...]:
        """What it needs predicted."""
        # The windows of the original are one cell high.
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
        """The keys of what `losses` returns."""
        return tuple(self._weights)

    @property
    def groundtruth_fields(self) -> tuple[str, ...]:
        """Optional fields of `Groundtruth` that its losses read."""
        masks = ("masks", "mask_weights") if self.learns.masks else ()
        points = ("keypoints", "keypoint_depths") if self.learns.points else ()
        return (*masks, *points)

    @property
    def needs_features(self) -> bool:
        """Whether `losses` looks at features."""
        return self.learns.colors is not None and self.learns.colors.features

    @property
    def predicts_masks_from_boxes(self) -> bool:
        """Whether `masks_of` can be called: it can."""
        return True

    @property
    def _weights(self) -> dict[str, float]:
        """The weight of each loss that there is."""
        learns = self.learns
        weights = {
            MASK: learns.masks,
            BOXES: learns.boxes.weight if learns.boxes else 0.0,
            COLORS: learns.colors.weight if learns.colors else 0.0,
            POINTS: learns.points,
            SELF: learns.own.weight if learns.own else 0.0,
        }
        return {name: weight for name, weight in weights.items() if weight > 0}

    def detect(
        self, maps: Maps, peaks: Peaks, found: Detections, frame: Frame
    ) -> Detections:
        """Returns the detections with the probabilities of their masks."""
        height, width = frame.map_size
        cells = ops.convert_to_tensor([height, width] * 2, dtype="float32")
        return found._replace(masks=self.masks_of(maps, found.boxes_strided / cells))

    def masks_of(self, maps: Maps, boxes: Tensor) -> Tensor:
        """Returns masks `[b, n, h, w]` of boxes; see `Task.masks_of`."""
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
        """Returns what the mask head says of boxes.

        Args:
            maps: What the heads say after a stage.
            boxes: `[b, n, 4]` normalized to the maps.
            training: Whether it works as in training: norms take the statistics of
                the boxes of each image, as the original did that the published
                checkpoints are of (a newer one takes those of the batch, with
                padding).
            valid: `[b, n]`, in training: False for padding.

        Returns:
            `[b, n, h, w]`: of the boxes, or of the whole maps.
        """
        seen = self._seen(maps[PIXELS], boxes)
        height, width, channels = seen.shape[2:]
        vectors = self._vectors(maps[INSTANCES], boxes)
        given = (
            ops.reshape(seen, (-1, height, width, channels)),
            ops.reshape(vectors, (-1, self.embedding)),
        )
        if training and valid is not None:
            with per_group_statistics(ops.cast(valid, "float32")):
                found = self.net(*given, training=True)
        else:
            found = self.net(*given, training=training)
        # The number of boxes need not be known while a graph is made.
        return ops.reshape(found, (*ops.shape(boxes)[:2], height, width))

    def losses(
        self, stages: Sequence[Maps], truth: Groundtruth, frame: Frame
    ) -> dict[str, Tensor]:
        """Returns the weighted losses; see `Task.losses`.

        They are means over the objects of an image, then over images and stages.
        """
        chance = getattr(self.net, "chance", None)
        truth = self._sampled(truth, frame, chance)
        used = stages[-1:] if self.learns.last_stage else stages
        boxes = ops.stop_gradient(truth.boxes)
        jitter = self.learns.jitter if frame.training else None
        crops = jitter(boxes, chance) if jitter else boxes
        moved = self._moved(used, crops, truth.valid, frame, chance)
        weights = ops.where(truth.valid, truth.weights, 0.0)
        known = weights * self._known(truth)
        totals = {name: 0.0 for name in self._weights}
        for maps, other in zip(used, moved, strict=True):
            logits = self.logits(maps, crops, frame.training, truth.valid)
            for name, value in self._of(logits, other, truth, crops, frame).items():
                counts = known if name == MASK else weights
                most = ops.maximum(ops.sum(counts, axis=1), 1.0)
                each = ops.sum(value * counts, axis=1) / most
                totals[name] = totals[name] + ops.mean(each)
        return {
            name: totals[name] * (weight / len(used))
            for name, weight in self._weights.items()
        }

    def _of(
        self,
        logits: Tensor,
        other: Tensor | None,
        truth: Groundtruth,
        crops: Tensor,
        frame: Frame,
    ) -> dict[str, Tensor]:
        """Returns the losses `[b, n]` of one stage, without weights."""
        learns = self.learns
        size = tuple(logits.shape[2:])
        if self.shape.whole:
            inside = fill_boxes(truth.boxes, size)
        else:
            inside = fill_crops(truth.boxes, crops, size)
        found = {}
        if MASK in self._weights:
            found[MASK] = self._mask_loss(logits, truth, crops)
        if learns.boxes is not None:
            how = learns.boxes
            found[BOXES] = box_consistency_loss(
                learns.loss, logits, inside, how.normalize, how.tight
            )
        if learns.colors is not None:
            found[COLORS] = self._color_loss(learns.colors, logits, inside, frame)
        if learns.points:
            found[POINTS] = point_loss(
                learns.loss, logits, truth.keypoints, truth.keypoint_depths
            )
        if learns.own is not None:
            if other is None:
                found[SELF] = ops.zeros_like(truth.weights)
            else:
                value = self_training_loss(logits, other, inside, learns.own.kind)
                found[SELF] = value * learns.own.warm_up(frame.step)
        return {name: v for name, v in found.items() if name in self._weights}

    def _seen(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """What the mask head sees of each box, `[b, n, h, w, c]`."""
        size, number = (self.shape.side, self.shape.side), ops.shape(boxes)[1]
        if self.shape.whole:
            size = tuple(maps.shape[1:3])
            shape = (ops.shape(maps)[0], number, *maps.shape[1:])
            seen = ops.broadcast_to(maps[:, None], shape)
        else:
            seen = crop_and_resize(maps, boxes, size, zero_pad_border=True)
        if not self.shape.use_xy:
            return seen
        if self.shape.whole:
            places = coordinates_from_centers(boxes, size)
        else:
            places = crop_coordinates(number, size, ops.shape(maps)[0])
        return ops.concatenate([places, seen], axis=-1)

    def _vectors(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """The vector at the center of each box, `[b, n, e]`."""
        height, width = maps.shape[1:3]
        cells = ops.convert_to_tensor([height, width], dtype="float32")
        first, last = boxes[..., :2] * cells, boxes[..., 2:] * cells
        # In the original's order: rounding decides where a center is on an edge.
        center = first + (last - first) / 2.0
        y = ops.clip(ops.cast(center[..., 0], "int32"), 0, height - 1)
        x = ops.clip(ops.cast(center[..., 1], "int32"), 0, width - 1)
        return gather_cells(maps, y, x)

    def _known(self, truth: Groundtruth) -> Tensor:
        """1 for objects whose masks are learnt, `[b, n]`."""
        known = ops.ones_like(truth.weights)
        if self.learns.classes:
            chosen = ops.convert_to_tensor(self.learns.classes, dtype="int32")
            classes = ops.cast(truth.classes, "int32")
            there = ops.any(classes[..., None] == chosen, axis=-1)
            known = ops.cast(there, "float32")
        if truth.mask_weights is not None:
            known = known * ops.cast(truth.mask_weights > 0, "float32")
        return known

    def _sampled(self, truth: Groundtruth, frame: Frame, chance: Any) -> Groundtruth:
        """Some of the objects, drawn at random in training, else the first."""
        count, number = self.learns.num_samples, truth.boxes.shape[1]
        if not 0 < count < number:
            return truth
        order = 1.0 - ops.arange(number, dtype="float32") / number
        order = ops.broadcast_to(order, ops.shape(truth.weights))
        if frame.training:
            order = keras.random.uniform(ops.shape(truth.weights), seed=chance)
        there = ops.logical_and(truth.valid, truth.weights > 0.5)
        _, rows = ops.top_k(ops.where(there, order, -1.0), count)
        fields = {
            name: gather_rows(value, rows)
            for name, value in present(truth).items()
            if name in FIELDS or name == "valid"
        }
        return Groundtruth(**fields)

    def _moved(
        self,
        used: Sequence[Maps],
        crops: Tensor,
        valid: Tensor,
        frame: Frame,
        chance: Any,
    ) -> Sequence[Tensor | None]:
        """What the network says of moved images, moved back, for each stage."""
        own = self.learns.own
        if own is None or not frame.training or frame.again is None:
            return [None] * len(used)
        motion = own.draw(ops.shape(crops)[0], chance)
        boxes = transform_boxes(crops, motion)
        stages = frame.again(lambda images: transform_images(images, motion))
        found = []
        for maps in stages[-len(used) :]:
            logits = self.logits(maps, boxes, frame.training, valid)
            if self.shape.whole:
                logits = transform_masks(logits, motion.inverse())
            else:  # A crop moves with its box: only mirroring is left.
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
        if self.learns.alone:
            parts = (truth.boxes, truth.classes, truth.valid)
            if self.shape.whole:
                alone = exclusive_in_class(*parts, size)
            else:
                whole = tuple(n // STRIDE for n in truth.masks.shape[2:])
                alone = crop_each_mask(
                    exclusive_in_class(*parts, whole), crops, size, zero_pad_border=True
                )
            logits = logits * alone
        return mask_loss(self.learns.loss, logits, ops.stop_gradient(targets))

    def _color_loss(
        self, how: ColorSupervision, logits: Tensor, inside: Tensor, frame: Frame
    ) -> Tensor:
        size = tuple(logits.shape[2:])
        features = frame.features if how.features else frame.images
        if features is None:
            raise ValueError("this loss needs the images")
        features = ops.image.resize(
            ops.cast(features, "float32"),
            size,
            interpolation="bilinear",
            data_format="channels_last",
        )
        if not how.features:
            features = rgb_to_lab(features / 255.0)
        value = feature_consistency_loss(
            logits,
            ops.stop_gradient(features),
            inside,
            how.dilation,
            how.threshold,
            how.dot_product,
        )
        return value * how.warm_up(frame.step)
