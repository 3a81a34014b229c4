"""Stratified splits: every part gets its share of every class."""

import collections
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from odapi.data.image_copies import count_copies
from odapi.data.sources.base import BaseSource
from odapi.errors import DataError
from odapi.progress import track
from odapi.wording import counted

DEFAULT_SHARES: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}


def parse_shares(text: str) -> dict[str, float]:
    """Parses percentages such as 80/10/10 (train, val, test) or 90/10 (train, val).

    Raises:
        DataError: They are not two or three numbers above 0 that sum to 100.

    >>> parse_shares("80/20")
    {'train': 0.8, 'val': 0.2}
    """
    try:
        percents = [float(part) for part in text.split("/")]
    except ValueError:
        percents = []
    sound = len(percents) in (2, 3) and min(percents) > 0
    if not sound or abs(sum(percents) - 100) > 1e-6:
        raise DataError(
            "--shares",
            f"needs two or three percentages that sum to 100, got {text!r}",
            hint="80/10/10 makes train, val and test; 90/10 makes train and val",
        )
    return dict(zip(DEFAULT_SHARES, (p / 100 for p in percents), strict=False))


def class_counts(source: BaseSource, indices: Sequence[int]) -> dict[int, int]:
    """Returns the number of images per class index."""
    counts: collections.Counter[int] = collections.Counter()
    for index in indices:
        counts.update(set(source.raw(index).objects["classes"].tolist()))
    return dict(counts)


def split_source(
    source: BaseSource, shares: Mapping[str, float] = DEFAULT_SHARES, seed: int = 0
) -> dict[str, list[int]]:
    """Assigns each image of a dataset to one part.

    Images with the same bytes go to the same part, regardless of their names.

    Args:
        source: The dataset; unreadable images are skipped and counted.
        shares: Share of the images by name of the part; they sum to 1.
        seed: Random seed.

    Returns:
        Sorted indices by name of the part.
    """
    groups: dict[bytes, list[int]] = collections.defaultdict(list)
    classes: dict[bytes, set[int]] = collections.defaultdict(set)
    for index in track(range(len(source)), "reading"):
        try:
            sample = source.encoded_sample(index)
        except DataError:
            continue
        key = hashlib.sha256(sample["encoded"]).digest()
        groups[key].append(index)
        classes[key] |= set(sample["classes"].tolist())
    count_copies(source, list(groups.values()), source.problems)
    keys = list(groups)
    dealt = stratify(
        [classes[k] for k in keys],
        list(shares.values()),
        seed,
        [len(groups[k]) for k in keys],
    )
    parts: dict[str, list[int]] = {name: [] for name in shares}
    names = list(shares)
    for key, part in zip(keys, dealt, strict=True):
        parts[names[part]] += groups[key]
    return {name: sorted(indices) for name, indices in parts.items()}


def stratify(
    labels: Sequence[set[int]],
    shares: Sequence[float],
    seed: int = 0,
    weights: Sequence[int] | None = None,
) -> list[int]:
    """Assigns items to parts so that each gets its share of every label, and of all.

    The rarest label is assigned first; an item goes to the part that is furthest
    behind its share of this label and of all items together. Items without labels
    count as a label of their own. No part stays empty.

    Args:
        labels: Labels per item.
        shares: Share per part, summing to 1.
        seed: Random seed of the order and of ties.
        weights: Number of images per item; None means 1.

    Returns:
        The part of each item.

    Raises:
        DataError: The shares are not positive or do not sum to 1, or there are
            fewer items than parts.

    Source: after Sechidis et al. 2011, On the Stratification of Multi-Label Data,
    which considers the label alone; a class of three images then never leaves the
    largest part.
    """
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise DataError("shares", f"must be above 0 and sum to 1, got {list(shares)}")
    if len(labels) < len(shares):
        raise DataError(
            "split",
            f"{counted(len(labels), 'image')} cannot fill "
            f"{counted(len(shares), 'part')}",
        )
    rng = np.random.default_rng(seed)
    weight = np.ones(len(labels)) if weights is None else np.asarray(weights, float)
    members: dict[int, list[int]] = collections.defaultdict(list)
    for item in rng.permutation(len(labels)).tolist():
        for label in labels[item] or {_NO_LABEL}:
            members[label].append(item)
    share = np.array(shares)
    have = {label: np.zeros(len(share)) for label in (*members, _ALL)}
    part = [-1] * len(labels)
    left = {label: len(items) for label, items in members.items()}
    while left:
        label = min(left, key=lambda k: (left[k], k))
        for item in members[label]:
            if part[item] >= 0:
                continue
            behind = sum(
                share * (have[k].sum() + weight[item]) - have[k] for k in (label, _ALL)
            )
            best = np.flatnonzero(behind >= np.max(behind) - 1e-9)
            part[item] = int(rng.choice(best))
            for k in (*(labels[item] or {_NO_LABEL}), _ALL):
                have[k][part[item]] += weight[item]
            for k in labels[item] or {_NO_LABEL}:
                left[k] -= 1
        left = {k: number for k, number in left.items() if number}
    _fill_empty(part, labels, len(shares))
    return part


_NO_LABEL, _ALL = -1, -2


def _fill_empty(part: list[int], labels: Sequence[set[int]], parts: int) -> None:
    """Moves an item with common labels from the largest part to each empty part."""
    for empty in sorted(set(range(parts)) - set(part)):
        counts = collections.Counter(part)
        largest = counts.most_common(1)[0][0]
        items = [i for i, p in enumerate(part) if p == largest]
        there = collections.Counter(k for i in items for k in labels[i])
        rarity = {i: min((there[k] for k in labels[i]), default=0) for i in items}
        part[max(items, key=lambda i: rarity[i])] = empty
