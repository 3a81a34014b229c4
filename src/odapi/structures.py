"""Named structures of arrays, with static shapes, that are passed between packages.

They are NamedTuples, hence pytrees, and pass through `jit`, `fit` and tree functions. A
field holds a NumPy array on the host and a tensor of the active backend inside a model.
Optional fields are None if a task does not need them. They stay flat, not nested by
task, since `fit`, padding and `present` address a field by its name alone.

Shape shorthand in this file and in `odapi.geometry, targets, losses, models`:
`b` images of a batch, `n` objects per image, `k` keypoints per object, `h, w` rows and
columns, `c` channels. Boxes are `[y_min, x_min, y_max, x_max]`, normalized to [0, 1]
unless a name ends in `_px`; points are (y, x); class indices start at 0.
"""

from typing import Any, NamedTuple

Tensor = Any  # A tensor of the active Keras backend, or a NumPy array.
Shape = tuple[Any, ...]  # Of a tensor; None for dimensions that are not static.

# Values of a match, which otherwise is the index of an object.
BACKGROUND, IGNORED = -1, -2


class Groundtruth(NamedTuple):
    """Objects of a batch of images, padded to a fixed number per image."""

    # Every object.
    boxes: Tensor  # [b, n, 4] float32, normalized
    classes: Tensor  # [b, n] int32 in [0, num_classes)
    valid: Tensor  # [b, n] bool, False for padding
    weights: Tensor  # [b, n] float32, weight in the loss; 0 for padding

    # Flags and sizes, for metrics.
    is_crowd: Tensor = None  # [b, n] bool
    difficult: Tensor = None  # [b, n] bool
    group_of: Tensor = None  # [b, n] bool
    area: Tensor = None  # [b, n] float32, in pixels of the original image

    # Soft labels.
    multiclass_scores: Tensor = None  # [b, n, num_classes + 1] float32
    confidences: Tensor = None  # [b, n] float32

    # Masks: see also `mask_weights`.
    masks: Tensor = None  # [b, n, h, w] uint8 or float32 in {0, 1}, of whole images

    # Keypoints: see also `keypoint_depths`.
    keypoints: Tensor = None  # [b, n, k, 2] float32, normalized (y, x); NaN: unlabeled
    keypoint_visibility: Tensor = None  # [b, n, k] int32: 0, 1 or 2 as in COCO

    # Tracks: see also `temporal_offsets`.
    track_ids: Tensor = None  # [b, n] int32

    # Per image: the classes whose objects were annotated exhaustively.
    labeled_classes: Tensor = None  # [b, num_classes] bool

    # Depths of keypoints.
    keypoint_depths: Tensor = None  # [b, n, k] float32
    keypoint_depth_weights: Tensor = None  # [b, n, k] float32

    # DensePose: `p` points per object.
    densepose_num_points: Tensor = None  # [b, n] int32, number of valid points
    densepose_part_ids: Tensor = None  # [b, n, p] int32 from 0
    densepose_points: Tensor = None  # [b, n, p, 4] float32: normalized y, x; v, u

    # Motion since the frame before.
    temporal_offsets: Tensor = None  # [b, n, 2] float32: normalized y, x
    track_match_flags: Tensor = None  # [b, n] bool, True where the offset is known

    mask_weights: Tensor = None  # [b, n] float32; 0 where the mask is not known


class AnchorTargets(NamedTuple):
    """Targets and loss weights per anchor.

    In the shapes, `classes` is the number of class logits per anchor.
    """

    class_targets: Tensor  # [b, anchors, classes] float32
    class_weights: Tensor  # [b, anchors, classes or 1] float32, 0: ignored
    box_targets: Tensor  # [b, anchors, code_size] float32, 0 where not matched
    box_weights: Tensor  # [b, anchors] float32, 0: not matched
    match: Tensor  # [b, anchors] int32: index of the object, BACKGROUND or IGNORED


class ImageInfo(NamedTuple):
    """Sizes of the images of a batch, as (height, width) in pixels."""

    original_size: Tensor  # [b, 2] int32, of the image file
    true_size: Tensor  # [b, 2] int32, after resizing, without padding


class Batch(NamedTuple):
    """One batch of the input pipeline."""

    # [b, h, w, c] uint8 (float32 after normalize_image), RGB, resized and padded at
    # the bottom and right.
    images: Tensor
    info: ImageInfo
    groundtruth: Groundtruth
    image_ids: tuple[str, ...]
    # False for repeated images that fill the last batch of an evaluation; None: all
    # images are real.
    real: Tensor = None  # [b] bool
    # Further inputs of a model, by name, such as context_features [b, n, d].
    side_inputs: Any = None


class Detections(NamedTuple):
    """Detections of a batch of images, best first, padded to a fixed number."""

    # Every detection.
    boxes: Tensor  # [b, n, 4] float32, normalized to the image without padding
    scores: Tensor  # [b, n] float32, 0 for padding
    classes: Tensor  # [b, n] int32 in [0, num_classes)
    num: Tensor  # [b] int32, number of valid detections

    # Anchors that detections stem from.
    multiclass_scores: Tensor = None  # [b, n, num_classes + 1] float32
    anchor_indices: Tensor = None  # [b, n] int32

    # Masks and keypoints.
    masks: Tensor = None  # [b, n, h, w] float32, of the boxes
    keypoints: Tensor = None  # [b, n, k, 2] float32, normalized (y, x)
    keypoint_scores: Tensor = None  # [b, n, k] float32
    keypoint_depths: Tensor = None  # [b, n, k] float32

    # CenterNet: DensePose, re-identification and motion.
    boxes_strided: Tensor = None  # [b, n, 4] float32, in cells of the output maps
    surface_coords: Tensor = None  # [b, n, h, w, 2] float32: v, u of DensePose
    embeddings: Tensor = None  # [b, n, e] float32, re-identification vectors
    temporal_offsets: Tensor = None  # [b, n, 2] float32: y, x, in cells

    # Intermediate results, for inspection and for Context R-CNN's memory bank.
    features: Tensor = None  # [b, n, h, w, d], box features of the second stage
    rpn_features: Tensor = None  # [b, n, s, s, c], first-stage features of the boxes
    raw_boxes: Tensor = None  # [b, anchors, 4] float32, decoded, before NMS
    raw_scores: Tensor = None  # [b, anchors, num_classes + 1] float32
    maps: Any = None  # Raw outputs of CenterNet by name: [stages, b, h, w, c]


def model_inputs(batch: Batch, pads: bool = True) -> dict[str, Tensor]:
    """Returns what a detector takes of a batch, by name.

    Args:
        batch: Images, their true sizes and side inputs.
        pads: False leaves the true sizes out: no image is padded.
    """
    inputs = {"images": batch.images}
    if pads:
        inputs["true_size"] = batch.info.true_size
    return inputs | (batch.side_inputs or {})


def present(structure: Any) -> dict[str, Tensor]:
    """Returns the fields of a NamedTuple that are not None, as the dict for `fit`.

    >>> present(ImageInfo(original_size=[[4, 4]], true_size=None))
    {'original_size': [[4, 4]]}
    """
    return {k: v for k, v in structure._asdict().items() if v is not None}
