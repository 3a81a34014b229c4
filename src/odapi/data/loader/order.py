"""Order of samples: a function of the seed and the position alone.

Our own shuffle instead of Grain's, which iterates a cipher until it finds a valid
index: 0.2 to 0.6 ms per sample for a few hundred images, as long as an augmentation.
One permutation per epoch costs 8 bytes per image and no time.
"""

import dataclasses
import functools
import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from odapi.wording import counted

# Period of the pattern of a mixture, in positions.
_PATTERN = 1000


@dataclasses.dataclass(frozen=True)
class Order:
    """Order of samples.

    Args:
        training: Whether to repeat endlessly with full batches; otherwise one pass in
            order, with the last batch padded.
        shuffle: Whether to shuffle each epoch differently; only in training.
        seed: Random seed of order and augmentation.
        parts, weights: Lengths of the parts of the source, and their relative sampling
            frequencies; only in training. Empty: proportional to their lengths.
        repeats: Average number of appearances per epoch, 1 or more, of each sample of
            the source; only in training. Empty: 1.

    Raises:
        ValueError: The numbers of weights and parts differ, no weight is above 0, or a
            repeat factor is below 1.
    """

    training: bool = True
    shuffle: bool = True
    seed: int = 0
    parts: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    repeats: tuple[float, ...] = ()

    def __post_init__(self):
        if len(self.parts) != len(self.weights):
            raise ValueError(
                f"{len(self.weights)} weights for {counted(len(self.parts), 'part')} "
                f"of the data"
            )
        if self.weights and (min(self.weights) < 0 or not any(self.weights)):
            raise ValueError(
                f"weights must be 0 or more, not all 0, got {list(self.weights)}"
            )
        if self.repeats and not min(self.repeats) >= 1:
            raise ValueError(f"repeats must be 1 or more, got {min(self.repeats)}")

    def indices(self, length: int) -> Sequence[int]:
        """Returns the index of the sample at each position, for a number of samples."""
        if not self.training:
            return range(length)
        parts = self.parts or (length,)
        starts = np.cumsum([0, *parts[:-1]]).tolist()
        epochs = [
            _Epochs(
                start,
                part,
                (self.seed, number) if self.shuffle else None,
                self.repeats[start : start + part],
            )
            for number, (start, part) in enumerate(zip(starts, parts, strict=True))
        ]
        return _Mixture(epochs, self.weights) if self.weights else epochs[0]

    def epoch_length(self, length: int) -> int:
        """Returns the positions of an epoch without a mixture, for so many samples."""
        return _num_positions(self.repeats) if self.repeats else length

    def rng(self, position: int) -> np.random.Generator:
        """Returns the random generator of the augmentations at a position."""
        mask = (1 << 64) - 1  # Philox takes two words of 64 bits as its key.
        key = np.array([self.seed & mask, position], np.uint64)
        source: Any = _Key(key)
        return np.random.Generator(np.random.Philox(source))


class _Key(ISeedSequence):
    """The raw key of Philox: with `key=`, NumPy would also mix an unused seed."""

    def __init__(self, key: np.ndarray):
        self.key = key

    def generate_state(self, n_words, dtype=np.uint32):
        return self.key


class _Epochs(Sequence):
    """Indices from `start` on, repeated per epoch; shuffled if a seed is given.

    With `repeats`, all epochs have the same length, and an index appears as often as
    its repeat factor rounded down or up: systematic sampling, whose mean is the factor.
    """

    def __init__(
        self,
        start: int,
        length: int,
        seed: tuple[int, int] | None,
        repeats: Sequence[float] = (),
    ):
        self.start, self.seed = start, seed
        self.repeats = np.asarray(repeats, np.float64)
        self._ends = np.cumsum(self.repeats)
        self.num_samples = length
        self.length = _num_positions(repeats) if len(repeats) else length
        # Threads read around the end of an epoch, and substitutes in others.
        self._of_epoch = functools.lru_cache(maxsize=5)(self._made)

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, position):
        epoch, place = divmod(position, self.length)
        if self.seed is None and not len(self.repeats):
            return self.start + place
        return self.start + int(self._of_epoch(epoch)[place])

    def draw(self, rng: np.random.Generator) -> int:
        """Returns the index of a random sample, as often as the epochs have it."""
        if not len(self.repeats):
            return self.start + int(rng.integers(self.num_samples))
        return self.start + _drawn(self._ends, rng)

    def _made(self, epoch: int) -> np.ndarray:
        """Returns the indices of an epoch, counted from 0."""
        rng = np.random.default_rng([*(self.seed or ()), epoch])
        samples = np.arange(self.num_samples)
        if self.seed is not None:
            samples = rng.permutation(self.num_samples)
        if not len(self.repeats):
            return samples
        ends = np.cumsum(self.repeats[samples])
        ends *= self.length / ends[-1]  # At most one more position, for all together.
        ends[-1] = self.length
        places = np.floor(np.append(0.0, ends) + rng.random()).astype(np.int64)
        repeated = np.repeat(samples, np.diff(places))
        return repeated if self.seed is None else rng.permutation(repeated)


def _drawn(ends: np.ndarray, rng: np.random.Generator) -> int:
    """Returns a random index, given the cumulative weights of all."""
    return int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))


def _num_positions(repeats: Sequence[float]) -> int:
    """Returns the positions of an epoch of samples with these repeat factors."""
    return math.ceil(sum(repeats) - 1e-6)  # Rounding errors are no position.


class _Mixture(Sequence):
    """Evenly interleaved parts, each with the frequency of its weight."""

    def __init__(self, parts: Sequence[_Epochs], weights: Sequence[float]):
        self.parts = parts
        shares = np.array(weights, float) / sum(weights)
        self._ends = np.cumsum(shares)
        counts = np.zeros(len(shares))
        self.pattern: list[tuple[int, int]] = []  # Part, and its samples before.
        for place in range(_PATTERN):
            # The part furthest behind its share; never one of weight 0.
            due = np.where(shares > 0, shares * (place + 1) - counts, -np.inf)
            part = int(np.argmax(due))
            self.pattern.append((part, int(counts[part])))
            counts[part] += 1
        self.counts = counts.astype(int).tolist()

    def __len__(self) -> int:
        return sys.maxsize

    def draw(self, rng: np.random.Generator) -> int:
        """Returns the index of a random sample; parts keep their frequencies."""
        return self.parts[_drawn(self._ends, rng)].draw(rng)

    def __getitem__(self, position):
        rounds, place = divmod(position, _PATTERN)
        part, before = self.pattern[place]
        return self.parts[part][rounds * self.counts[part] + before]
