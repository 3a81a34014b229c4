"""Collation: padding of the samples of a batch to arrays of one shape."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from odapi.data.context_features import BankShape
from odapi.data.loader.buckets import Buckets
from odapi.data.positions import scaled_positions
from odapi.data.problems import Problems
from odapi.data.sample import Sample, keep_objects
from odapi.fields import FIELDS, LABELED_CLASSES, Field
from odapi.structures import Batch, Groundtruth, ImageInfo

TOO_MANY_BOXES = "more boxes than max_number_of_boxes"


@dataclasses.dataclass(frozen=True)
class Collate:
    """Combines resized samples into a batch.

    Images of different sizes are padded at the bottom and right to the largest of the
    batch, or to its bucket; coordinates are normalized to the padded size.

    Args:
        batch_size: Samples per batch; if there are fewer, the last one is repeated and
            False in `Batch.real`.
        max_boxes: Maximum number of objects per image; the first ones are kept, and
            the others are counted in `problems`.
        fields: Optional fields of `Groundtruth` to fill.
        keep_all: Whether to pad to a multiple of `max_boxes` instead of dropping
            objects. Batches then differ in shape.
        problems: Counts the dropped objects.
        shapes: Shape of one object's value by field, such as `{"keypoints": (17, 2)}`,
            for batches without objects; for `labeled_classes`, of one image's.
        buckets: The allowed image sizes; None means any.
        context: Shape of the memory banks that the model reads; None if it reads none.
    """

    batch_size: int
    max_boxes: int = 100
    fields: tuple[str, ...] = ()
    keep_all: bool = False
    problems: Problems = dataclasses.field(default_factory=Problems)
    shapes: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    buckets: Buckets | None = None
    context: BankShape | None = None

    def __post_init__(self):
        for name in ("batch_size", "max_boxes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        unknown = set(self.fields) - FIELDS.keys() - {LABELED_CLASSES}
        if unknown:
            raise ValueError(f"no such fields of Groundtruth: {sorted(unknown)}")

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Returns the batch of 1 to `batch_size` resized samples."""
        real = np.arange(self.batch_size) < len(samples)
        samples = [*samples, *[samples[-1]] * (self.batch_size - len(samples))]
        samples = _same_size(samples, self.buckets)
        return Batch(
            images=np.stack([s["image"] for s in samples]),
            info=ImageInfo(
                np.stack([s["original_size"] for s in samples]).astype(np.int32),
                np.stack([s["true_size"] for s in samples]).astype(np.int32),
            ),
            groundtruth=self._groundtruth(samples),
            image_ids=tuple(s["image_id"] for s in samples),
            real=real,
            side_inputs=self.context and self.context.batch(samples, self.problems),
        )

    def _groundtruth(self, samples: Sequence[Sample]) -> Groundtruth:
        counts = [len(s["boxes"]) for s in samples]
        capacity = self.max_boxes
        if self.keep_all:
            capacity *= max(-(-max(counts) // capacity), 1)
        for sample, count in zip(samples, counts, strict=True):
            if count > capacity:
                where = sample["image_id"]
                self.problems.found(TOO_MANY_BOXES, where, count - capacity, count)
        valid = np.arange(capacity) < np.array(counts)[:, None]
        shapes = {"masks": samples[0]["image"].shape[:2], **self.shapes}
        fill = _Fill(samples, capacity, shapes)
        fields = [name for name in self.fields if name != LABELED_CLASSES]
        labeled = self._labeled(samples) if LABELED_CLASSES in self.fields else None
        filled = {name: fill(FIELDS[name]) for name in fields}
        if "masks" in filled and "mask_weights" in filled:
            # A mask without a pixel is broken or was cropped away. Treated as known, it
            # would teach background.
            # Padding is skipped, since reading would allocate its memory.
            rows = zip(filled["masks"], filled["mask_weights"], counts, strict=True)
            for masks, weights, count in rows:
                weights[:count] *= masks[:count].any(axis=(1, 2))
        return Groundtruth(
            boxes=fill(FIELDS["boxes"]),
            classes=fill(FIELDS["classes"]),
            valid=valid,
            weights=fill(FIELDS["weights"]) * valid,
            **filled,
            labeled_classes=labeled,
        )

    def _labeled(self, samples: Sequence[Sample]) -> np.ndarray:
        labeled = np.ones((len(samples), *self.shapes[LABELED_CLASSES]), np.bool_)
        for row, sample in zip(labeled, samples, strict=True):
            if LABELED_CLASSES in sample:
                row[:] = np.isin(np.arange(len(row)), sample[LABELED_CLASSES])
        return labeled


class _Fill:
    """Copies one field of all samples into one array."""

    def __init__(
        self,
        samples: Sequence[Sample],
        capacity: int,
        shapes: Mapping[str, tuple[int, ...]],
    ):
        self.samples, self.capacity, self.shapes = samples, capacity, shapes

    def __call__(self, field: Field) -> np.ndarray:
        name = field.name
        known = tuple(side for side in field.shape if isinstance(side, int))
        shape = self.shapes.get(name, known)
        for sample in self.samples:
            if name in sample and (len(sample[name]) or sample[name].ndim > 1):
                shape = sample[name].shape[1:]
                break
        full = (len(self.samples), self.capacity, *shape)
        # Zeros that are never written take no memory.
        array: np.ndarray = np.zeros(full, field.dtype)
        if field.padding:
            array[...] = field.padding
        for row, sample in zip(array, self.samples, strict=True):
            count = min(len(sample["boxes"]), self.capacity)
            row[:count] = sample[name][:count] if name in sample else field.missing
        return array


def merge_equal_boxes(
    sample: Sample, num_classes: int, confidences: bool = False
) -> Sample:
    """Returns the sample with objects of equal boxes merged into one.

    Its `multiclass_scores` `[n, num_classes + 1]`, background first, are 1 for each
    class of the merged objects; other fields are those of the first object. Boxes are
    equal if they agree to 1/10000 of the image.

    Args:
        sample: The objects.
        num_classes: Number of classes, without background.
        confidences: The scores are the `confidences` of the objects instead of 1. Of
            several objects of one class, that of the last one is kept.
    """
    boxes, classes = sample["boxes"], sample["classes"]
    keys = np.rint(boxes * 1e4).astype(np.int64)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # In the original order.
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    scores = np.zeros((len(first), num_classes + 1), np.float32)
    given = sample.get("confidences") if confidences else None
    scores[rank[group.reshape(-1)], classes + 1] = 1 if given is None else given
    merged = keep_objects(sample, first[order])
    return merged | {"multiclass_scores": scores}


def _same_size(samples: list[Sample], buckets: Buckets | None) -> list[Sample]:
    sizes = np.max([s["image"].shape[:2] for s in samples], axis=0)
    height, width = (int(size) for size in sizes)
    if buckets is not None:
        height, width = buckets(height, width)
    return [_padded(sample, height, width) for sample in samples]


def _padded(sample: Sample, height: int, width: int) -> Sample:
    old_height, old_width = sample["image"].shape[:2]
    if (old_height, old_width) == (height, width):
        return sample
    bottom, right = height - old_height, width - old_width
    scale = np.array([old_height / height, old_width / width], np.float32)
    image = np.pad(sample["image"], ((0, bottom), (0, right), (0, 0)))
    padded = sample | scaled_positions(sample, scale) | {"image": image}
    if "masks" in sample:
        padded["masks"] = np.pad(sample["masks"], ((0, 0), (0, bottom), (0, right)))
    return padded
