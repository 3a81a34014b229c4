"""A sample: one image with its annotations, as one dict of NumPy arrays.

Keys (n objects):

    image                uint8 [h, w, 3], RGB, or [h, w, c] with additional channels
                         after them; a `LazyImage` between augmentations, float32
                         after `normalize_image` and `subtract_channel_mean`
    image_id             str, unique in its source
    boxes                float32 [n, 4], normalized [y_min, x_min, y_max, x_max]
    classes              int32 [n], counted from 0
    masks                uint8 [n, h, w] in {0, 1}: an array, or `LazyMasks`
    (others)             one row per object, see the table of `odapi.fields`
    labeled_classes      int32 [m]: the classes that were looked for in the image;
                         missing if unknown, which means all
    absent_classes       int32 [m]: those of them that have no object in it; missing
                         if unknown
    not_exhaustive_classes  int32 [m]: the classes of which only some objects are
                         annotated; missing means none
    not_exhaustive_classes  int32 [m]: classes of which only some objects are annotated
    context_features     float32 [m, d], the memory bank; [0, 0] if there is none
    context_image_ids    list of str, the images that the bank was made of
    filename             str
    position             int, in the order of the pipeline that loaded it

Only the first four are always present.
"""

from typing import Any, Protocol

from odapi.fields import FIELDS
from odapi.labels import LabelMap

Sample = dict[str, Any]


class Source(Protocol):
    """A dataset on disk, with random access."""

    name: str  # For messages, such as the path.
    label_map: LabelMap

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; raises DataError where the image cannot be used."""

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) where known."""


def keep_objects(sample: Sample, keep: Any) -> Sample:
    """Returns the sample with only the objects that `keep` (mask or indices) names."""
    return {k: v[keep] if k in FIELDS else v for k, v in sample.items()}
