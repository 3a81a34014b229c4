"""Matchers: assign each anchor to a groundtruth object, background or ignored."""

import dataclasses
import math
from collections.abc import Callable

from keras import ops

from odapi.structures import BACKGROUND, IGNORED, Tensor


@dataclasses.dataclass(frozen=True)
class ArgmaxMatcher:
    """Matches each anchor to the object of highest similarity, above a threshold.

    Ties go to the first object.

    Args:
        matched: Anchors of at least this similarity are matched; None matches every
            anchor.
        unmatched: Anchors below this similarity are background; anchors in between are
            ignored. Not above `matched`.
        negatives_below: False exchanges the two: anchors below `unmatched` are ignored,
            anchors in between are background.
        force: Also match, for each object, the anchor of highest similarity to it. An
            anchor that is best for several objects goes to the first of them.
    """

    matched: float | None = 0.5
    unmatched: float | None = None
    negatives_below: bool = True
    force: bool = False

    def __post_init__(self) -> None:
        if self.unmatched is None:
            return
        if self.matched is None:
            raise ValueError("unmatched_threshold needs a matched_threshold")
        if self.unmatched > self.matched:
            raise ValueError(
                f"unmatched_threshold {self.unmatched} must not be above "
                f"matched_threshold {self.matched}"
            )
        if not self.negatives_below and self.unmatched == self.matched:
            raise ValueError(
                "with negatives_lower_than_unmatched: false the negatives lie between "
                f"the thresholds, and both are {self.matched}: there would be none"
            )

    def __call__(
        self,
        similarity: Callable[[Tensor], Tensor],
        num_anchors: int,
        valid: Tensor,
        claims: Tensor | None = None,
        floor: float | None = None,
    ) -> Tensor:
        """Returns the index of the object, `BACKGROUND` or `IGNORED`, per anchor.

        Loops over the objects, up to the last valid one of any image: a matrix of all
        pairs would cost much more time and memory.

        Args:
            similarity: `similarity(i)` returns the similarity of object `i` of each
                image to all anchors, `[b, anchors]` float.
            num_anchors: Number of anchors.
            valid: `[b, n]` bool, False for padding. In an image without objects all
                anchors are background.
            claims: `[b, n]` bool: objects that may claim their best anchor if `force`
                is set; None: all valid ones.
            floor: A claimed anchor must be above this similarity; None: no condition.

        Returns:
            `[b, anchors]` int32.
        """
        claims = valid if claims is None else ops.logical_and(valid, claims)
        unclaimed = ops.full((1, num_anchors), BACKGROUND, dtype="int32")
        unclaimed = unclaimed + 0 * ops.cast(valid[:, :1], "int32")  # [b, anchors]
        best = ops.full_like(unclaimed, -math.inf, dtype="float32")

        def step(
            i: Tensor, best: Tensor, match: Tensor, claimant: Tensor
        ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            value = similarity(i)
            here = _column(valid, i)
            better = ops.logical_and(value > best, here)
            match = ops.where(better, i, match)
            best = ops.where(better, value, best)
            if self.force:
                claimed = _first_best(value, floor)
                claimed = ops.logical_and(claimed, _column(claims, i))
                free = ops.logical_and(claimed, claimant < 0)
                claimant = ops.where(free, i, claimant)
            return i + 1, best, match, claimant

        # Padding comes last: few objects need few steps.
        order = ops.arange(1, valid.shape[1] + 1, dtype="int32")
        steps = ops.max(ops.where(valid, order, 0))
        first = ops.zeros((), dtype="int32")
        _, best, match, claimant = ops.while_loop(
            lambda i, *_: i < steps, step, (first, best, unclaimed, unclaimed)
        )
        match = ops.where(match >= 0, self._apply_thresholds(match, best), match)
        return ops.where(claimant >= 0, claimant, match)

    def _apply_thresholds(self, match: Tensor, best: Tensor) -> Tensor:
        if self.matched is None:
            return match
        unmatched = self.matched if self.unmatched is None else self.unmatched
        below, between = BACKGROUND, IGNORED
        if not self.negatives_below:
            below, between = between, below
        match = ops.where(best < self.matched, between, match)
        return ops.where(best < unmatched, below, match)


def _column(values: Tensor, index: Tensor) -> Tensor:
    """Returns column `index` of `values [b, n]`, as `[b, 1]`."""
    return ops.expand_dims(ops.take(values, index, axis=1), 1)


def _first_best(value: Tensor, floor: float | None) -> Tensor:
    """Marks the first maximum of each row of `value [b, anchors]`, if above `floor`.

    Not `ops.argmax`, which costs several times more on TensorFlow.
    """
    position = ops.arange(value.shape[1], dtype="int32")
    top = ops.max(value, axis=1, keepdims=True)
    candidates = ops.where(value == top, position, value.shape[1])
    first = position == ops.min(candidates, axis=1, keepdims=True)
    return first if floor is None else ops.logical_and(first, top > floor)
