"""Shards of TFRecord files: `NAME-00000-of-00010` and so on."""

import collections
import fnmatch
import os
import pathlib
import re
from collections.abc import Iterable

_SHARD = re.compile(r"(.*-)(\d+)(-of-(\d+)(?:\..*)?)")
_MAX_SHARDS = 100_000  # More are no shards.


def missing_shards(
    patterns: Iterable[str | os.PathLike], files: Iterable[pathlib.Path]
) -> list[str]:
    """Returns the names of shards that globs match by name, but that do not exist.

    Args:
        patterns: Paths, folders and globs. `train-*-of-00010` names ten shards, a path
            only itself.
        files: The files that they match.
    """
    wanted = [os.path.expanduser(p) for p in patterns if not os.path.isfile(p)]
    sets: dict[tuple[pathlib.Path, str, str], set[int]] = collections.defaultdict(set)
    for file in files:
        match = _SHARD.fullmatch(file.name)
        if match and int(match[4]) <= _MAX_SHARDS:
            sets[file.parent, match[1], match[3]].add(int(match[2]))
    missing = []
    for (folder, start, end), numbers in sets.items():
        total = end.removeprefix("-of-").partition(".")[0]
        for number in range(int(total)):
            name = f"{start}{number:0{len(total)}}{end}"
            if number not in numbers and _is_named(folder / name, wanted):
                missing.append(name)
    return missing


def _is_named(file: pathlib.Path, patterns: Iterable[str]) -> bool:
    return any(
        os.path.isdir(p) or fnmatch.fnmatch(str(file), os.path.normpath(p))
        for p in patterns
    )
