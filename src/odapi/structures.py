"""What travels between the parts: named structures of arrays, with static shapes.

They are NamedTuples, so that they pass through `jit`, `fit` and tree functions.
A field is a NumPy array on the host and a tensor of the active backend inside a
model. Fields that a task does not need are None.
"""

from typing import Any, NamedTuple

Tensor = Any  # A tensor of the active Keras backend, or a NumPy array.


class Groundtruth(NamedTuple):
    """Objects of a batch of images, padded to the same number an image."""

    boxes: Tensor  # [b, n, 4] float32, normalised [y_min, x_min, y_max, x_max]
    classes: Tensor  # [b, n] int32 in [0, num_classes)
    valid: Tensor  # [b, n] bool, False for padding
    weights: Tensor  # [b, n] float32, how much an object counts; 0 for padding
    is_crowd: Tensor = None  # [b, n] bool
    difficult: Tensor = None  # [b, n] bool
    group_of: Tensor = None  # [b, n] bool
    area: Tensor = None  # [b, n] float32, pixels of the original image
    multiclass_scores: Tensor = None  # [b, n, num_classes + 1] float32
    confidences: Tensor = None  # [b, n] float32
    masks: Tensor = None  # [b, n, h, w] uint8 or float32 in {0, 1}, of the images
    keypoints: Tensor = None  # [b, n, k, 2] float32, normalised (y, x); NaN: unlabelled
    keypoint_visibility: Tensor = None  # [b, n, k] int32, 0, 1 or 2 as in COCO
    track_ids: Tensor = None  # [b, n] int32
    labeled_classes: Tensor = None  # [b, num_classes] bool: looked for in the image
    keypoint_depths: Tensor = None  # [b, n, k] float32
    keypoint_depth_weights: Tensor = None  # [b, n, k] float32
    densepose_num_points: Tensor = None  # [b, n] int32, how many points are real
    densepose_part_ids: Tensor = None  # [b, n, p] int32 from 0
    densepose_points: Tensor = None  # [b, n, p, 4] float32: y, x normalised, v, u
    temporal_offsets: Tensor = None  # [b, n, 2] float32: y, x, normalised
    track_match_flags: Tensor = None  # [b, n] bool: the offset is known
    mask_weights: Tensor = None  # [b, n] float32; 0: the mask is not known


class ImageInfo(NamedTuple):
    """Sizes of the images of a batch, as (height, width) in pixels."""

    original_size: Tensor  # [b, 2] int32, of the image file
    true_size: Tensor  # [b, 2] int32, after resizing, without padding


class Batch(NamedTuple):
    """What the input pipeline yields."""

    images: Tensor  # [b, h, w, c] uint8, RGB, resized and padded at bottom and right
    info: ImageInfo
    groundtruth: Groundtruth
    image_ids: tuple[str, ...]
    # Padding of the last batch of an evaluation: False for images that repeat.
    real: Tensor = None  # [b] bool; None: all are real
    # What a model reads besides images, by name, such as context_features [b, n, d].
    side_inputs: Any = None


class Detections(NamedTuple):
    """Objects found in a batch of images, best first, padded to the same number."""

    boxes: Tensor  # [b, n, 4] float32, normalised to the image without padding
    scores: Tensor  # [b, n] float32, 0 for padding
    classes: Tensor  # [b, n] int32 in [0, num_classes)
    num: Tensor  # [b] int32, how many are real
    multiclass_scores: Tensor = None  # [b, n, num_classes + 1] float32
    anchor_indices: Tensor = None  # [b, n] int32
    masks: Tensor = None  # [b, n, h, w] float32, of the boxes
    keypoints: Tensor = None  # [b, n, k, 2] float32, normalised (y, x)
    keypoint_scores: Tensor = None  # [b, n, k] float32
    keypoint_depths: Tensor = None  # [b, n, k] float32
    boxes_strided: Tensor = None  # [b, n, 4] float32, in cells of CenterNet's maps
    surface_coords: Tensor = None  # [b, n, h, w, 2] float32: v, u of DensePose
    embeddings: Tensor = None  # [b, n, e] float32, to tell individuals apart
    temporal_offsets: Tensor = None  # [b, n, 2] float32: y, x, in such cells
    features: Tensor = None  # [b, n, h, w, d], what the second stage saw in the boxes
    rpn_features: Tensor = None  # [b, n, s, s, c], what the maps show in the boxes
    raw_boxes: Tensor = None  # [b, anchors, 4] float32, decoded, before suppression
    raw_scores: Tensor = None  # [b, anchors, num_classes + 1] float32
    maps: Any = None  # What a CenterNet predicts, by name: [stages, b, h, w, c]


def present(structure: NamedTuple) -> dict[str, Tensor]:
    """Returns the fields that are not None, as the dict that `fit` takes.

    >>> present(ImageInfo(original_size=[[4, 4]], true_size=None))
    {'original_size': [[4, 4]]}
    """
    return {k: v for k, v in structure._asdict().items() if v is not None}
