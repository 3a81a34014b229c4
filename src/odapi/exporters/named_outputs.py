"""Outputs of an exported model, named as in the TF Object Detection API."""

from typing import TYPE_CHECKING, Any

from odapi.structures import Detections, Tensor

if TYPE_CHECKING:
    from odapi.models.detector import Detector


def named_outputs(detections: Detections) -> dict[str, Tensor]:
    """Returns detections by the original's output names, with classes from 1.

    The dtypes are those of the detector; exported models return float32 throughout.
    """
    named = {
        "detection_boxes": detections.boxes,
        "detection_scores": detections.scores,
        "detection_classes": detections.classes + 1,
        "detection_multiclass_scores": detections.multiclass_scores,
        "detection_anchor_indices": detections.anchor_indices,
        "num_detections": detections.num,
        "raw_detection_boxes": detections.raw_boxes,
        "raw_detection_scores": detections.raw_scores,
        "detection_masks": detections.masks,
        "detection_features": detections.features,
        "cropped_rpn_box_features": detections.rpn_features,
        "detection_keypoints": detections.keypoints,
        "detection_keypoint_scores": detections.keypoint_scores,
        "detection_keypoint_depths": detections.keypoint_depths,
        "detection_boxes_strided": detections.boxes_strided,
        "detection_surface_coords": detections.surface_coords,
        "detection_embeddings": detections.embeddings,
        "detection_temporal_offsets": detections.temporal_offsets,
        **(detections.maps or {}),
    }
    return {name: value for name, value in named.items() if value is not None}


def detect(
    detector: "Detector",
    inputs: dict[str, Tensor],
    boxes: Tensor | None = None,
    raw: bool = True,
) -> Detections:
    """Returns the detections that an exported model returns.

    Args:
        detector: A built detector.
        inputs: As the detector takes them.
        boxes: `[b, n, 4]`, normalized to the images without padding: the masks are
            then those of these boxes. The detector must predict such masks.
        raw: Also return all boxes and scores before NMS.
    """
    if boxes is None:
        return detector.detect(inputs, raw=raw)
    from keras import ops

    model: Any = detector
    predicted = model(inputs, training=False)
    detections = model.detect(inputs, predicted, raw=raw)
    # One box of zeros is added, since TensorFlow's convolutions fail on empty batches.
    padded = ops.pad(boxes, ((0, 0), (0, 1), (0, 0)))
    masks = model.masks_from_boxes(inputs, padded, predicted)[:, :-1]
    return detections._replace(masks=masks)
