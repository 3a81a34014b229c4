"""Augmentations that change the classes and scores of objects, or drop objects.

Class indices count from 0, ids of the config and of label maps from 1.
"""

import dataclasses

import numpy as np

from odapi.data.sample import Sample, keep_objects
from odapi.fields import LABELED_CLASSES


@dataclasses.dataclass(frozen=True)
class DropLabel:
    """Drops each object of a class with a given probability.

    Args:
        class_index: The class, counted from 0.
        probability: Probability; 1 drops all of them.
    """

    class_index: int
    probability: float = 1.0

    def __post_init__(self):
        if self.class_index < 0:
            raise ValueError(f"class_index must be 0 or more, got {self.class_index}")
        if not 0 <= self.probability <= 1:
            raise ValueError(
                f"drop_probability must be in 0..1, got {self.probability}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample without the dropped objects."""
        classes = sample["classes"]
        drawn = rng.random(len(classes))
        keep = (classes != self.class_index) | (drawn >= self.probability)
        return sample if keep.all() else keep_objects(sample, keep)


@dataclasses.dataclass(frozen=True)
class RemapLabels:
    """Makes one class of several.

    The multiclass scores of the original classes are added to that of the new one. An
    image counts as annotated for the new class if it is for all the original ones.

    Args:
        original: Class indices, counted from 0.
        new: The class index that replaces them.
    """

    original: tuple[int, ...]
    new: int

    def __post_init__(self):
        if min((*self.original, self.new)) < 0:
            raise ValueError(
                "class indices must be 0 or more, got "
                f"{list(self.original)} and {self.new}"
            )

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with changed classes."""
        classes = sample["classes"]
        changed = np.isin(classes, self.original)
        sample = sample | {"classes": np.where(changed, self.new, classes)}
        sample["classes"] = sample["classes"].astype(classes.dtype)
        if "multiclass_scores" in sample:
            sample["multiclass_scores"] = self._scores(sample["multiclass_scores"])
        if LABELED_CLASSES in sample:
            sample[LABELED_CLASSES] = self._labeled(sample[LABELED_CLASSES])
        return sample

    def _scores(self, scores: np.ndarray) -> np.ndarray:
        """Returns scores `[n, c]`, of which the first is that of the background."""
        columns = [i + 1 for i in {*self.original} if i + 1 < scores.shape[1]]
        if self.new + 1 >= scores.shape[1]:
            return scores
        moved = scores.copy()
        moved[:, columns] = 0
        moved[:, self.new + 1] += scores[:, columns].sum(axis=1)
        return moved

    def _labeled(self, labeled: np.ndarray) -> np.ndarray:
        rest = np.setdiff1d(labeled, [*self.original, self.new])
        if self.original and not np.isin(self.original, labeled).all():
            return rest.astype(labeled.dtype)
        return np.append(rest, self.new).astype(labeled.dtype)


@dataclasses.dataclass(frozen=True)
class SoftmaxScores:
    """Turns multiclass scores that are logits into probabilities.

    Samples without multiclass scores do not change.

    Args:
        temperature: The logits are divided by it.
    """

    temperature: float = 1.0

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample with scores that add up to 1."""
        if "multiclass_scores" not in sample:
            return sample
        logits = sample["multiclass_scores"] / self.temperature
        if logits.size:
            logits = logits - logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        scores = powers / powers.sum(axis=1, keepdims=True)
        return sample | {"multiclass_scores": scores.astype(np.float32)}


@dataclasses.dataclass(frozen=True)
class RetainAboveThreshold:
    """Drops objects whose weight is not above a threshold; NaN is kept.

    Args:
        threshold: Minimum weight, excluded. Objects without a weight have 1.
    """

    threshold: float = 0.0

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample without the objects of low weight."""
        weights = sample.get("weights", np.ones(len(sample["boxes"]), np.float32))
        keep = ~(weights <= self.threshold)
        return sample if keep.all() else keep_objects(sample, keep)


@dataclasses.dataclass(frozen=True)
class NormalizedBoxes:
    """Leaves boxes as they are: `scale_boxes_to_pixel_coordinates` of old configs.

    Models expect normalized boxes. The original trains them on the boxes in pixels
    nevertheless, which teaches nothing: no anchor overlaps such a box.
    """

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample."""
        return sample
