"""NMS in a TensorFlow graph by an operator that converters to ONNX know."""

from typing import Any

from odapi.geometry.nms.greedy import NmsCandidates


def combined_nms(
    candidates: NmsCandidates,
    active: Any,
    iou_threshold: float,
    max_per_group: int,
    num_groups: int,
) -> Any:
    """Returns the kept candidates; see `NmsOperator`.

    TensorFlow's CombinedNonMaxSuppression becomes one NonMaxSuppression of ONNX for all
    images and classes. It returns no indices, but scores: candidates are sorted, so
    their rank serves as score, and the scores of the kept ones are their indices.
    """
    import tensorflow as tf

    size = candidates.boxes.shape[1]
    # Whole numbers from `size` to 1 are exact in float32.
    rank = tf.range(size, 0, -1, dtype=tf.float32)
    rank = tf.where(active, rank, -1.0)[..., None]
    if num_groups > 1:
        own = candidates.groups[..., None] == tf.range(num_groups)
        rank = tf.where(own, rank, -1.0)
    found = tf.raw_ops.CombinedNonMaxSuppression(
        boxes=tf.cast(candidates.boxes, tf.float32)[:, :, None],
        scores=rank,
        max_output_size_per_class=min(max_per_group, size),
        max_total_size=size,
        iou_threshold=iou_threshold,
        score_threshold=0.0,
        clip_boxes=False,
    )
    index = size - tf.cast(found.nmsed_scores + 0.5, tf.int32)  # `size` for padding.
    image = tf.range(tf.shape(index)[0])[:, None] + tf.zeros_like(index)
    kept = tf.tensor_scatter_nd_update(
        tf.zeros([tf.shape(index)[0], size + 1], tf.int32),
        tf.stack([image, index], axis=-1),
        tf.ones_like(index),
    )
    return kept[:, :size] > 0
