"""Post-processing: detections from decoded boxes and class logits."""

import dataclasses

from keras import ops

from odapi.geometry.boxes import clip, to_window
from odapi.geometry.gather import gather_rows
from odapi.geometry.nms.batched import NonMaxSuppression, Selection
from odapi.models.scores import ScoreConverter
from odapi.structures import Detections, Tensor


@dataclasses.dataclass(frozen=True)
class PostProcess:
    """Score conversion, non-maximum suppression (NMS) and clipping.

    Args:
        nms: Non-maximum suppression.
        scores: Conversion of logits to scores.
        has_background: Whether the first class is the background, which is never
            detected.
        change_coordinate_frame: Whether boxes are returned relative to the clip window.
    """

    nms: NonMaxSuppression = dataclasses.field(default_factory=NonMaxSuppression)
    scores: ScoreConverter = dataclasses.field(default_factory=ScoreConverter)
    has_background: bool = True
    change_coordinate_frame: bool = True

    def __call__(
        self,
        boxes: Tensor,
        class_logits: Tensor,
        clip_window: Tensor,
        raw: bool = False,
        valid: Tensor | None = None,
    ) -> Detections:
        """Returns the detections of a batch of images.

        Args:
            boxes: `[b, anchors, 4]`, decoded, not clipped; further numbers per box
                are (y, x) of keypoints. `[b, anchors, classes, 4]` if each class has
                a separate box.
            class_logits: `[b, anchors, classes]`, including the background, if any.
            clip_window: `[b, 4]`: the image without padding, in the frame of `boxes`.
            raw: Also return all boxes and scores before NMS.
            valid: Mask `[b, anchors]` of the anchors that are not padding; None: all.
        """
        rows = class_logits
        convert: ScoreConverter | None = self.scores
        if raw or not self.scores.is_monotonic:
            # All scores are returned, or their order differs from that of the logits.
            rows, convert = self.scores(class_logits), None
        foreground = rows[..., 1:] if self.has_background else rows
        if valid is not None:
            foreground = ops.where(valid[..., None], foreground, -float("inf"))
        found = self.nms(_boxes(boxes), foreground, clip_window, convert)
        classes = gather_rows(rows, found.anchors)
        classes = classes if convert is None else convert(classes)
        return Detections(
            boxes=_masked(self._frame(found.boxes, clip_window), found),
            scores=found.scores,
            classes=found.classes,
            num=found.num[:, 0],
            multiclass_scores=_masked(classes, found),
            anchor_indices=found.anchors,
            keypoints=self._keypoints(boxes, found, clip_window),
            raw_boxes=_boxes(boxes) if raw else None,
            raw_scores=rows if raw else None,
        )

    def _frame(self, boxes: Tensor, window: Tensor) -> Tensor:
        boxes = clip(boxes, window)
        return to_window(boxes, window) if self.change_coordinate_frame else boxes

    def _keypoints(
        self, boxes: Tensor, found: Selection, window: Tensor
    ) -> Tensor | None:
        """Returns keypoints `[b, n, k, 2]` of the detections, not clipped."""
        numbers = boxes.shape[-1]
        if numbers == 4:
            return None
        points = gather_rows(boxes[..., 4:], found.anchors)
        if self.change_coordinate_frame:
            points = to_window(points, window)
        shape = (-1, points.shape[1], (numbers - 4) // 2, 2)
        return ops.reshape(_masked(points, found), shape)


def _boxes(boxes: Tensor) -> Tensor:
    return boxes if boxes.shape[-1] == 4 else boxes[..., :4]


def _masked(values: Tensor, found: Selection) -> Tensor:
    """Returns `values [b, n, m]` with padding set to 0."""
    real = ops.arange(values.shape[1], dtype="int32") < found.num
    return ops.where(real[..., None], values, 0.0)
