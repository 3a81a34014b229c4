"""A sample: one image with its annotations, as one dict of NumPy arrays.

Keys, of which only the first three are always there (n objects):

    image                uint8 [h, w, 3], RGB
    image_id             str, unique in its source
    boxes                float32 [n, 4], normalised [y_min, x_min, y_max, x_max]
    classes              int32 [n], counted from 0
    is_crowd, difficult, group_of   bool [n]
    area                 float32 [n], pixels
    weights              float32 [n]
    confidences          float32 [n]
    multiclass_scores    float32 [n, num_classes + 1]
    masks                uint8 [n, h, w] in {0, 1}: an array, or `LazyMasks`
    mask_weights         float32 [n]; 0: the mask is not known
    keypoints            float32 [n, k, 2], normalised (y, x); NaN: unlabelled
    keypoint_visibility  int32 [n, k], 0, 1 or 2 as in COCO
    keypoint_depths      float32 [n, k]; NaN: unknown
    keypoint_depth_weights  float32 [n, k]
    track_ids            int32 [n]
    densepose_num_points int32 [n], how many of the p points are real
    densepose_part_ids   int32 [n, p] from 0
    densepose_points     float32 [n, p, 4]: y and x, normalised, v, u
    temporal_offsets     float32 [n, 2], normalised (y, x) since the frame before
    track_match_flags    bool [n]: the offset is known
    labeled_classes      int32 [m], those that were looked for in the image; not there
                         where it does not say, and all were
    context_features     float32 [m, d], the memory bank; [0, 0] where there is none
    context_image_ids    list of texts, the images that it is made of
    filename             str
    position             int, in the order of the pipeline that loaded it
"""

from typing import Any, Protocol

from odapi.labels import LabelMap

Sample = dict[str, Any]

# Keys with one row an object: what drops an object drops its row in each.
OBJECT_KEYS = (
    "boxes",
    "classes",
    "is_crowd",
    "difficult",
    "group_of",
    "area",
    "weights",
    "confidences",
    "multiclass_scores",
    "masks",
    "mask_weights",
    "keypoints",
    "keypoint_visibility",
    "keypoint_depths",
    "keypoint_depth_weights",
    "track_ids",
    "densepose_num_points",
    "densepose_part_ids",
    "densepose_points",
    "temporal_offsets",
    "track_match_flags",
)


class Source(Protocol):
    """A data set on disk, with random access."""

    name: str  # For messages, such as the path.
    label_map: LabelMap

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; raises DataError where the image cannot be used."""

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) where known."""


def keep_objects(sample: Sample, keep: Any) -> Sample:
    """Returns the sample with only the objects that `keep` (mask or indices) names."""
    return {k: v[keep] if k in OBJECT_KEYS else v for k, v in sample.items()}
