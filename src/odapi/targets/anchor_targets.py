"""Training targets of anchors, with static shapes throughout."""

import dataclasses
from typing import Any

from keras import ops

from odapi.geometry.boxes import area
from odapi.geometry.gather import gather_rows
from odapi.structures import BACKGROUND, AnchorTargets, Groundtruth, Tensor
from odapi.targets.coders import BoxCoder
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.similarities import Similarity
from odapi.wording import counted


@dataclasses.dataclass(frozen=True)
class AnchorAssigner:
    """Matches anchors to objects and encodes their training targets.

    Args:
        coder: Encodes a matched box relative to its anchor.
        similarity: Similarity of objects and anchors.
        matcher: Matches anchors by similarity.
        add_background: Class predictions begin with the background, which the
            groundtruth does not have.
        explicit_background: Class predictions begin with the background, and the
            groundtruth has it as class 0.
        background_as_zeros: The class target of background is all zeros instead of
            one-hot for class 0.
        negative_class_weight: Class weight of background anchors.
        confidences_as_targets: Class targets are the objects' confidences, which are
            negative for verified absence; see `_confidences`.
        implicit_weight: With confidences, the weight of a class without an annotation.
    """

    coder: BoxCoder
    similarity: Similarity
    matcher: ArgmaxMatcher
    add_background: bool = True
    explicit_background: bool = False
    background_as_zeros: bool = False
    negative_class_weight: float = 1.0
    confidences_as_targets: bool = False
    implicit_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.add_background and self.explicit_background:
            raise ValueError(
                "add_background_class and explicit_background_class are "
                "mutually exclusive; both are true"
            )

    def __call__(
        self, anchors: Tensor, groundtruth: Groundtruth, num_classes: int
    ) -> AnchorTargets:
        """Returns the targets of all anchors, without gradient.

        Args:
            anchors: `[anchors, 4]`, or `[b, anchors, 4]` with separate anchors per
                image, in the unit of the groundtruth's boxes.
            groundtruth: Objects of a batch.
            num_classes: `num_classes` of the config.
        """
        anchors = ops.convert_to_tensor(anchors)
        truth = groundtruth
        width = num_classes + (1 if self.add_background else 0)
        labels = self._labels(truth, width)  # [b, n, classes]
        match = self._match(anchors, truth, labels)

        matched = match >= 0
        index = ops.maximum(match, 0)
        codes = self._codes(anchors, truth, index)
        codes = ops.where(matched[..., None], codes, 0.0)
        classes = gather_rows(labels, index)
        classes = ops.where(matched[..., None], classes, self._background(width))
        weights = ops.where(matched, gather_rows(truth.weights, index), 0.0)
        negative = ops.where(match == BACKGROUND, self.negative_class_weight, 0.0)
        class_weights = ops.where(matched, weights, negative)[..., None]
        targets = AnchorTargets(classes, class_weights, codes, weights, match)
        if self.confidences_as_targets:
            targets = self._confidences(targets)
        return AnchorTargets(*(ops.stop_gradient(t) for t in targets))

    def _match(self, anchors: Tensor, truth: Groundtruth, labels: Tensor) -> Tensor:
        scores = None
        if self._has_background:
            scores = 1.0 - labels[..., 0]

        def similarity(i: Any) -> Tensor:
            boxes = ops.expand_dims(ops.take(truth.boxes, i, axis=1), 1)
            score = None
            if scores is not None:
                score = ops.expand_dims(ops.take(scores, i, axis=1), 1)
            return self.similarity(boxes, anchors, score)[:, 0]

        # A box without area or weight is never forced onto an anchor: its code would be
        # infinite, or its weight 0.
        claims = ops.logical_and(truth.weights > 0, area(truth.boxes) > 0)
        floor = self.similarity.floor
        return self.matcher(similarity, anchors.shape[-2], truth.valid, claims, floor)

    @property
    def _has_background(self) -> bool:
        return self.add_background or self.explicit_background

    def _background(self, width: int) -> Tensor:
        """Returns the class target `[classes]` of unmatched anchors."""
        first = 0.0 if self.background_as_zeros else 1.0
        return ops.convert_to_tensor([first] + [0.0] * (width - 1), dtype="float32")

    def _labels(self, truth: Groundtruth, width: int) -> Tensor:
        """Returns the class targets `[b, n, width]` of the objects."""
        if truth.multiclass_scores is not None:
            return _fit_background(truth.multiclass_scores, width)
        shift = 1 if self.add_background else 0
        labels = ops.one_hot(truth.classes + shift, width, dtype="float32")
        if self.confidences_as_targets and truth.confidences is not None:
            labels = labels * ops.expand_dims(truth.confidences, -1)
        return labels

    def _codes(self, anchors: Tensor, truth: Groundtruth, index: Tensor) -> Tensor:
        boxes = gather_rows(truth.boxes, index)
        if self.coder.code_size > 4:
            if truth.keypoints is None:
                raise ValueError("keypoint_box_coder needs groundtruth with keypoints")
            points = ops.reshape(
                truth.keypoints,
                (-1, truth.keypoints.shape[1], 2 * truth.keypoints.shape[2]),
            )
            boxes = ops.concatenate([boxes, gather_rows(points, index)], axis=-1)
        return self.coder.encode(boxes, anchors)

    def _confidences(self, targets: AnchorTargets) -> AnchorTargets:
        """Returns targets that treat confidences as verified labels.

        A class with a confidence above 0 is a positive, with one below 0 a negative,
        both of weight 1; a class of confidence 0 is a negative of the implicit weight.
        The weights of the objects are ignored, as in the original.
        """
        classes = targets.class_targets
        foreground = classes[..., 1:] if self.add_background else classes
        explicit = ops.cast(foreground != 0, "float32")
        positive = ops.cast(ops.any(foreground > 0, axis=-1), "float32")
        rest = self.implicit_weight
        weights = (1.0 - rest) * explicit + rest
        foreground = ops.maximum(foreground, 0.0)
        if self.add_background:
            background = (1.0 - rest) * positive[..., None] + rest
            weights = ops.concatenate([background, weights], axis=-1)
            absent = 1.0 - positive[..., None]
            foreground = ops.concatenate([absent, foreground], axis=-1)
        return targets._replace(
            class_targets=foreground,
            class_weights=weights,
            box_targets=targets.box_targets * positive[..., None],
            box_weights=positive,
        )


def _fit_background(scores: Tensor, width: int) -> Tensor:
    """Adds or removes the background column of `scores [b, n, classes]`.

    Raises:
        ValueError: The scores do not match the classes of the model.
    """
    extra = scores.shape[-1] - width
    if extra == 0:
        return scores
    if extra == 1:
        return scores[..., 1:]
    if extra == -1:
        return ops.pad(scores, [[0, 0], [0, 0], [1, 0]])
    raise ValueError(
        f"groundtruth has multiclass scores for "
        f"{counted(scores.shape[-1], 'class', 'classes')}, the model "
        f"predicts {width}, including the background"
    )
