"""Which sample comes when: a function of the seed and the position alone.

Grain's own shuffle walks a cipher until it meets a valid index, which for a data set
of some hundred images took 0.2 to 0.6 ms a sample, as long as an augmentation. A
permutation an epoch costs nothing, and 8 bytes an image.
"""

import dataclasses
import functools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

# Positions after which the pattern of a mixture begins anew.
_PATTERN = 1000


@dataclasses.dataclass(frozen=True)
class Order:
    """In which order samples come.

    Args:
        training: Over and over again, without end, whole batches; otherwise once, in
            order, the last batch padded.
        shuffle: Whether to shuffle each epoch anew; only in training.
        seed: Of order and augmentation.
        parts, weights: Lengths of the parts that the source consists of, and how often
            samples of each come, relative to the others; only in training. Empty: as
            many as there are.

    Raises:
        ValueError: There are not as many weights as parts, or none is above 0.
    """

    training: bool = True
    shuffle: bool = True
    seed: int = 0
    parts: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self):
        if len(self.parts) != len(self.weights):
            raise ValueError(
                f"{len(self.weights)} weights for {len(self.parts)} parts of the data"
            )
        if self.weights and (min(self.weights) < 0 or not any(self.weights)):
            raise ValueError(
                f"weights must be 0 or more, not all 0, got {list(self.weights)}"
            )

    def indices(self, length: int) -> Sequence[int]:
        """Returns the index of the sample at each position, for so many samples."""
        if not self.training:
            return range(length)
        parts = self.parts or (length,)
        starts = np.cumsum([0, *parts[:-1]]).tolist()
        epochs = [
            _Epochs(start, part, (self.seed, number) if self.shuffle else None)
            for number, (start, part) in enumerate(zip(starts, parts, strict=True))
        ]
        return _Mixture(epochs, self.weights) if self.weights else epochs[0]

    def rng(self, position: int) -> np.random.Generator:
        """Returns what the augmentations of the sample at a position draw from."""
        mask = (1 << 64) - 1  # Philox takes two words of 64 bits as its key.
        key = np.array([self.seed & mask, position], np.uint64)
        source: Any = _Key(key)
        return np.random.Generator(np.random.Philox(source))


class _Key(ISeedSequence):
    """The key of Philox, as it is: with `key=`, NumPy also mixes a seed in vain."""

    def __init__(self, key: np.ndarray):
        self.key = key

    def generate_state(self, n_words, dtype=np.uint32):
        return self.key


class _Epochs(Sequence):
    """Indices from `start` on, epoch after epoch; shuffled, given a seed."""

    def __init__(self, start: int, length: int, seed: tuple[int, int] | None):
        self.start, self.length, self.seed = start, length, seed
        # Threads read around the end of an epoch, hence more than one.
        self._permutation = functools.lru_cache(maxsize=3)(self._shuffled)

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, position):
        epoch, place = divmod(position, self.length)
        if self.seed is None:
            return self.start + place
        return self.start + int(self._permutation(epoch)[place])

    def _shuffled(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([*(self.seed or ()), epoch]).permutation(
            self.length
        )


class _Mixture(Sequence):
    """Several parts in turn, each as often as its weight says, evenly spread."""

    def __init__(self, parts: Sequence[_Epochs], weights: Sequence[float]):
        self.parts = parts
        shares = np.array(weights, float) / sum(weights)
        counts = np.zeros(len(shares))
        self.pattern: list[tuple[int, int]] = []  # Part, and how many of it before.
        for place in range(_PATTERN):
            # Who is furthest behind; a part of weight 0 is never.
            due = np.where(shares > 0, shares * (place + 1) - counts, -np.inf)
            part = int(np.argmax(due))
            self.pattern.append((part, int(counts[part])))
            counts[part] += 1
        self.counts = counts.astype(int).tolist()

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, position):
        rounds, place = divmod(position, _PATTERN)
        part, before = self.pattern[place]
        return self.parts[part][rounds * self.counts[part] + before]
