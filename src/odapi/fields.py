"""Groundtruth fields: one row per field, read by everything that handles samples.

Sources take dtypes and defaults from here, augmentations how coordinates move, the
loader shapes and padding, the builders which reader option asks for a field, and
records the name of its feature. `structures.Groundtruth` has an attribute per field.
"""

import dataclasses
import enum
from collections.abc import Collection
from typing import Any

import numpy as np

# Capacity for the DensePose points of an object, as in the original.
MAX_DENSEPOSE_POINTS = 336


class Motion(enum.Enum):
    """Effect of a geometric change of the image on the values of a field.

    NONE: They do not change.
    BOX: Normalized `[y_min, x_min, y_max, x_max]`.
    POINT: The last axis begins with normalized y and x.
    OFFSET: The last axis is the difference of two positions: scaled, never shifted.
    IMAGE: Pixels, which are moved together with those of the image.
    """

    NONE = "none"
    BOX = "box"
    POINT = "point"
    OFFSET = "offset"
    IMAGE = "image"


class AskedBy(enum.Enum):
    """Reasons to load a field, besides the names of reader options."""

    ALWAYS = "always"
    NOTHING = "nothing"


@dataclasses.dataclass(frozen=True)
class Field:
    """One value per object.

    Args:
        name: Key in samples and attribute of `Groundtruth`.
        dtype: NumPy name of the type.
        shape: Shape of one object's value. "k" is the number of keypoints, "h" and
            "w" the size of the image, "c" the number of classes with background.
        missing: Value for an object of which it is unknown.
        padding: Value where there is no object.
        motion: How geometric augmentations change it.
        asked_by: `InputReader` option that loads it, or an `AskedBy`.
        feature: The tf.Example feature, for fields with one number per object that
            are stored as they are.
        metrics_only: Only metrics read it, no loss does.
        hint: Next step for a user whose model learns from it and whose data lacks it;
            "{reader}" is the config path of the reader.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...] = ()
    missing: float = 0.0
    padding: float = 0.0
    motion: Motion = Motion.NONE
    asked_by: str | AskedBy = AskedBy.NOTHING
    feature: str = ""
    metrics_only: bool = False
    hint: str = ""

    @property
    def per_keypoint(self) -> bool:
        """True for a value per keypoint, which flips may exchange."""
        return self.shape[:1] == ("k",)

    def missing_values(
        self, count: int, sizes: dict[str, int] | None = None
    ) -> np.ndarray:
        """Returns the values of `count` objects of which nothing is known.

        Args:
            count: Number of objects.
            sizes: Lengths by the letters of `shape`; 0 if not given.
        """
        shape = [
            (sizes or {}).get(s, 0) if isinstance(s, str) else s for s in self.shape
        ]
        return np.full((count, *shape), self.missing, self.dtype)


def _always(name: str, dtype: str, feature: str, **more: Any) -> Field:
    """A number per object that every reader loads if the dataset has it."""
    path = f"image/object/{feature}"
    return Field(name, dtype, asked_by=AskedBy.ALWAYS, feature=path, **more)


_NAN = float("nan")
_DEPTHS, _DENSEPOSE = "load_keypoint_depth_features", "load_dense_pose"

_ROWS = (
    Field("boxes", "float32", (4,), motion=Motion.BOX),
    Field("classes", "int32"),
    _always("weights", "float32", "weight", missing=1),
    _always("is_crowd", "bool", "is_crowd", metrics_only=True),
    _always("difficult", "bool", "difficult", metrics_only=True),
    _always("group_of", "bool", "group_of", metrics_only=True),
    _always("area", "float32", "area", metrics_only=True),
    Field("multiclass_scores", "float32", ("c",), asked_by="load_multiclass_scores"),
    Field("confidences", "float32", missing=1, asked_by=AskedBy.ALWAYS),
    Field("masks", "uint8", ("h", "w"), motion=Motion.IMAGE,
          asked_by="load_instance_masks",
          hint="set {reader}.load_instance_masks: true, if the dataset has masks"),
    Field("mask_weights", "float32", missing=1, feature="image/object/mask/weight"),
    Field("keypoints", "float32", ("k", 2), missing=_NAN, padding=_NAN,
          motion=Motion.POINT, asked_by="num_keypoints",
          hint="set {reader}.num_keypoints"),
    Field("keypoint_visibility", "int32", ("k",), asked_by="num_keypoints"),
    Field("keypoint_depths", "float32", ("k",), missing=_NAN, asked_by=_DEPTHS,
          hint="set {reader}.load_keypoint_depth_features: true"),
    Field("keypoint_depth_weights", "float32", ("k",), asked_by=_DEPTHS),
    Field("track_ids", "int32", missing=-1, asked_by="load_track_id",
          feature="image/object/track/label", hint="set {reader}.load_track_id: true"),
    Field("densepose_num_points", "int32", asked_by=_DENSEPOSE),
    Field("densepose_part_ids", "int32", (MAX_DENSEPOSE_POINTS,), asked_by=_DENSEPOSE),
    Field("densepose_points", "float32", (MAX_DENSEPOSE_POINTS, 4),
          motion=Motion.POINT, asked_by=_DENSEPOSE,
          hint="set {reader}.load_dense_pose: true"),
    Field("temporal_offsets", "float32", (2,), motion=Motion.OFFSET,
          asked_by=AskedBy.ALWAYS,
          hint="store image/object/temporal_offset in the tf.Examples"),
    Field("track_match_flags", "bool", asked_by=AskedBy.ALWAYS),
)  # fmt: skip

FIELDS: dict[str, Field] = {field.name: field for field in _ROWS}

# Of a whole image: the classes that its annotators looked for, [num_classes] bool.
LABELED_CLASSES = "labeled_classes"
# Of a whole image, as in LVIS: the classes that have objects without annotation.
NOT_EXHAUSTIVE = "not_exhaustive_classes"
# Of a whole image: those of the labeled classes that have no object in it.
ABSENT_CLASSES = "absent_classes"
IMAGE_CLASSES = (LABELED_CLASSES, NOT_EXHAUSTIVE, ABSENT_CLASSES)
# Every sample has them.
REQUIRED = ("boxes", "classes")


def asked_by(option: str | AskedBy) -> tuple[str, ...]:
    """Returns the names of the fields that a reader option, or `AskedBy`, loads."""
    return tuple(f.name for f in FIELDS.values() if f.asked_by == option)


def reader_options() -> tuple[str, ...]:
    """Returns the names of the reader options that load fields."""
    options = (f.asked_by for f in FIELDS.values() if isinstance(f.asked_by, str))
    return tuple(dict.fromkeys(options))


def loaded_fields(keys: Collection[str], metrics: bool = False) -> list[str]:
    """Returns the optional fields of a batch, given the keys that a source provides.

    Args:
        keys: Of the samples of the source.
        metrics: Whether to include the fields that only metrics read.
    """
    names = []
    for field in FIELDS.values():
        if field.metrics_only:
            wanted = metrics
        else:
            wanted = field.asked_by is not AskedBy.NOTHING
        if wanted and field.name in keys and field.name not in _NOT_LOADED:
            names.append(field.name)
    # Sources add them to masks where some objects have none.
    return [*names, "mask_weights"] if "masks" in names else names


def per_keypoint() -> tuple[str, ...]:
    """Returns the names of the fields with a value per keypoint."""
    return tuple(f.name for f in FIELDS.values() if f.per_keypoint)


# Always in a batch, or only if the training config asks for them.
_NOT_LOADED = (*REQUIRED, "weights", "multiclass_scores")
