"""Joint annotations of several samples that show the same image."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from odapi.data.context_features import CONTEXT, CONTEXT_IDS
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.sample import Sample
from odapi.fields import ABSENT_CLASSES, FIELDS, LABELED_CLASSES, NOT_EXHAUSTIVE, Field


def concatenate(samples: Sequence[Sample]) -> Sample:
    """Returns the objects of all samples, in order, without an image.

    Fields that a sample lacks get their value for "unknown". Of the whole image:

    - `labeled_classes` are those that were looked for in every image: nothing is known
      about the others in some part of the result.
    - `not_exhaustive_classes` are those of any image.
    - Memory banks are concatenated, so that each part has its context.
    - All else, such as the id, is that of the first sample.

    Args:
        samples: Their coordinates are normalized to the same image, and their masks
            are `LazyMasks` of its size.
    """
    joint: Sample = {}
    for sample in reversed(samples):
        joint |= {k: v for k, v in sample.items() if k not in FIELDS}
    joint.pop("image", None)
    joint.pop(ABSENT_CLASSES, None)  # A class may be absent in one image only.
    for name, field in FIELDS.items():
        holders = [s for s in samples if name in s]
        if not holders:
            continue
        if name == "masks":
            joint[name] = _joint_masks(samples, holders[0][name].size)
            continue
        # Those without objects may lack the sizes of further axes.
        template = max(holders, key=lambda s: len(s["boxes"]))[name]
        rows = [_values(sample, field, template) for sample in samples]
        joint[name] = np.concatenate(rows)
    labeled = [set(s[LABELED_CLASSES]) for s in samples if LABELED_CLASSES in s]
    if labeled:
        joint[LABELED_CLASSES] = _classes(set.intersection(*labeled))
    partly = [set(s[NOT_EXHAUSTIVE]) for s in samples if NOT_EXHAUSTIVE in s]
    if partly:
        joint[NOT_EXHAUSTIVE] = _classes(set.union(*partly))
    return joint | _joint_context(samples)


def _values(sample: Sample, field: Field, template: np.ndarray) -> np.ndarray:
    count = len(sample["boxes"])
    if count and field.name in sample:
        return sample[field.name]
    sizes = {
        side: size
        for side, size in zip(field.shape, template.shape[1:], strict=True)
        if isinstance(side, str)
    }
    return field.missing_values(count, sizes)


def _joint_masks(samples: Sequence[Sample], size: tuple[int, int]) -> LazyMasks:
    decoders: list[Any] = []
    for sample in samples:
        masks = sample.get("masks")
        decoders += masks.decoders if masks is not None else [None] * _count(sample)
    return LazyMasks(tuple(decoders), size)


def _count(sample: Sample) -> int:
    return len(sample["boxes"])


def _classes(classes: set[int]) -> np.ndarray:
    return np.array(sorted(classes), np.int32)


def _joint_context(samples: Sequence[Sample]) -> Sample:
    banks = [s[CONTEXT] for s in samples if CONTEXT in s and s[CONTEXT].shape[1]]
    joint: Sample = {}
    if banks:
        length = banks[0].shape[1]
        joint[CONTEXT] = np.concatenate([b for b in banks if b.shape[1] == length])
    if any(CONTEXT_IDS in s for s in samples):
        ids = [i for s in samples for i in s.get(CONTEXT_IDS, ())]
        joint[CONTEXT_IDS] = list(dict.fromkeys(ids))
    return joint
