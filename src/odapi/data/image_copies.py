"""Images with the same bytes, in one dataset or in two."""

import collections
import concurrent.futures
import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from odapi.data.problems import Problems
from odapi.data.set_checks import EQUAL_IMAGES, SHARED_IMAGES, SetFinding
from odapi.data.sources.base import BaseSource
from odapi.errors import DataError
from odapi.wording import counted

SAME, SAME_OTHERWISE_ANNOTATED = "same bytes", "same bytes, other objects"
_THREADS = 16  # They wait for files.
# Bounds of the work before a training; `odapi data inspect` has none.
MAX_FILES, MAX_RECORDS, MAX_MADE = 50_000, 2_000, 100
MAX_BYTES = 256 << 20
_ALIKE, _NAMED = 0.9, 10  # Share and number of images by whose names sets are alike.


class Fingerprints:
    """Hashes of image files, computed where sizes leave a doubt.

    Args:
        source: The dataset.
        is_bounded: Whether to look only at the first images of a large dataset.
    """

    def __init__(self, source: BaseSource, is_bounded: bool = False):
        self.source = source
        self._hashes: dict[int, bytes] = {}
        total = len(source)
        has_files = source.image_path(0) is not None
        most = MAX_FILES if has_files else MAX_RECORDS
        most = most if source.is_stored else MAX_MADE
        self.checked = min(total, most) if is_bounded else total
        self._max_bytes = MAX_BYTES if is_bounded else None
        self.is_cut = self.checked < total
        # Files of other sizes differ; of records and arrays nothing is known before.
        self.by_size: dict[int, list[int]] = collections.defaultdict(list)
        if has_files:
            for index, size in enumerate(_mapped(self._size, range(self.checked))):
                self.by_size[size].append(index)
        else:
            self.by_size[-1] = list(range(self.checked))

    def _size(self, index: int) -> int:
        path = self.source.image_path(index)
        try:
            return path.stat().st_size if path else -1
        except OSError:
            return -2

    def hashes(self, sizes: Iterable[int] | None = None) -> Mapping[int, bytes]:
        """Returns hashes by index, of the images of some sizes; None: of all.

        Images that cannot be read are left out. The smallest files come first, so that
        bounded work compares the same files of two datasets.
        """
        indices, total = list[int](), 0
        for size in sorted(self.by_size if sizes is None else sizes):
            those = self.by_size.get(size, [])
            total += max(size, 0) * len(those)
            if self._max_bytes is not None and total > self._max_bytes:
                self.is_cut = True
                break
            indices += those
        missing = [i for i in indices if i not in self._hashes]
        self._hashes |= zip(missing, _mapped(self._hash, missing), strict=True)
        return {i: self._hashes[i] for i in indices if self._hashes[i]}

    def _hash(self, index: int) -> bytes:
        try:
            return self.source.fingerprint(index)
        except DataError:
            return b""  # Counted when it is read.

    def groups(self) -> list[list[int]]:
        """Returns the indices of images with the same bytes, where there are more."""
        doubtful = [size for size, those in self.by_size.items() if len(those) > 1]
        found = collections.defaultdict(list)
        for index, value in self.hashes(doubtful).items():
            found[value].append(index)
        return [group for group in found.values() if len(group) > 1]


def count_copies(
    source: BaseSource, groups: Sequence[Sequence[int]], problems: Problems
) -> tuple[int, int]:
    """Counts images with the same bytes as an earlier one.

    Args:
        source: The dataset.
        groups: Indices of images with the same bytes.
        problems: Gets one problem per copy.

    Returns:
        Number of copies, and of those with other objects than the first.
    """
    ids, differ, total = source.image_ids, 0, 0
    for first, *others in groups:
        annotation = _annotation(source, first)
        for index in others:
            same = _annotation(source, index) == annotation
            kind = SAME if same else SAME_OTHERWISE_ANNOTATED
            problems.found(kind, f"{ids[index]}, same as {ids[first]}")
            total, differ = total + 1, differ + (not same)
    return total, differ


def _annotation(source: BaseSource, index: int) -> bytes:
    objects = source.raw(index).objects
    boxes = np.asarray(objects["boxes"], np.float64).reshape(-1, 4)
    rows = np.concatenate([np.asarray(objects["classes"])[:, None], boxes], axis=1)
    with np.errstate(over="ignore"):  # Huge coordinates are counted elsewhere.
        return rows[np.lexsort(rows.T)].round(4).tobytes()


def find_copies(
    source: BaseSource, prints: Fingerprints, problems: Problems | None = None
) -> list[SetFinding]:
    """Returns a finding about images with the same bytes in a dataset, if any.

    Args:
        source: The dataset.
        prints: Its fingerprints.
        problems: Also gets one problem per copy.
    """
    problems = Problems() if problems is None else problems
    total, differ = count_copies(source, prints.groups(), problems)
    if not total:
        return []
    kind = SAME_OTHERWISE_ANNOTATED if differ else SAME
    first = next(p.first[0] for p in problems if p.kind == kind)
    problem = (
        f"{total} of {counted(len(source), 'image')} have the same bytes as another one"
    )
    if differ:
        problem += f", {differ} of them with other objects"
    return [SetFinding(EQUAL_IMAGES, f"{problem}, such as {first}")]


def find_shared(train: Fingerprints, evaluation: Fingerprints) -> list[SetFinding]:
    """Returns a finding about evaluation images that are training images, if any."""
    shared = _shared(train, evaluation)
    total = len(evaluation.source)
    if not shared:
        return _find_names(train.source, evaluation.source)
    ours, theirs = min(shared.items())
    name, same = evaluation.source.image_ids[ours], train.source.image_ids[theirs]
    cut = "at least " if train.is_cut or evaluation.is_cut else ""
    problem = (
        f"training images are evaluated, too: {cut}{len(shared)} of "
        f"{counted(total, 'image')}, such as {name}"
    )
    if same != name:
        problem += f" (there {same})"
    return [SetFinding(SHARED_IMAGES, problem, _SEPARATE)]


_SEPARATE = (
    "metrics on them do not show how the detector does on new images; "
    "`odapi data split` makes separate parts"
)


def _find_names(train: BaseSource, evaluation: BaseSource) -> list[SetFinding]:
    """Returns a finding about nearly all images having names of training images."""
    names = _names(evaluation)
    alike = sorted(names & _names(train))
    if len(alike) < max(_NAMED, _ALIKE * len(evaluation)):
        return []
    problem = (
        f"{len(alike)} of {counted(len(evaluation), 'image')} have the names of "
        f"training images, such as {alike[0]}, but other bytes: "
        "are they the same, encoded again?"
    )
    return [SetFinding(SHARED_IMAGES, problem, _SEPARATE)]


def _names(source: BaseSource) -> set[str]:
    """Returns names of images without suffixes, but no numbers, which are common."""
    if not source.is_stored or not len(source):
        return set()
    names: Iterable[str] = source.image_ids
    if source.image_path(0) is not None:
        names = (str(source.image_path(i)) for i in range(len(source)))
    stems = (os.path.splitext(os.path.basename(name))[0] for name in names)
    return {stem for stem in stems if not stem.isdigit()}


def _shared(train: Fingerprints, evaluation: Fingerprints) -> dict[int, int]:
    """Returns training indices by evaluation index, of images with the same bytes."""
    both_files = -1 not in train.by_size and -1 not in evaluation.by_size
    sizes = set(train.by_size) & set(evaluation.by_size) if both_files else None
    paths = _by_path(train)
    shared = {
        index: paths[path]
        for index, path in _paths(evaluation)
        if both_files and path in paths
    }
    if len(shared) == evaluation.checked:
        return shared
    by_hash: dict[bytes, int] = {}
    for index, value in train.hashes(sizes).items():
        by_hash.setdefault(value, index)
    for index, value in evaluation.hashes(sizes).items():
        if value in by_hash:
            shared[index] = by_hash[value]
    return shared


def _by_path(prints: Fingerprints) -> dict[str, int]:
    return {path: index for index, path in _paths(prints)}


def _paths(prints: Fingerprints) -> Iterable[tuple[int, str]]:
    for index in itertools.chain(*prints.by_size.values()):
        path = prints.source.image_path(index)
        if path is not None:
            yield index, str(path.absolute())


def _mapped(function, items):
    items = list(items)
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, items))
