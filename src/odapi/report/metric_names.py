"""Metrics by short names: the end of a name, or a glob."""

import fnmatch
import re
from collections.abc import Iterable, Sequence

from odapi.errors import DataError, did_you_mean
from odapi.wording import first_names

TRAIN = "train/"  # Before the names of losses of the training.

_MAX_NAMES = 12


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Returns the names that a pattern stands for: itself, their end, or a glob.

    >>> names = ["A_Precision/mAP", "A_ByCategory/mAP/cat", "Loss/total_loss"]
    >>> matching("mAP", names), matching("cat", names), matching("L*", names)
    (['A_Precision/mAP'], ['A_ByCategory/mAP/cat'], ['Loss/total_loss'])
    """
    names = list(dict.fromkeys(names))
    if pattern in names:
        return [pattern]
    ends = [name for name in names if name.endswith(f"/{pattern}")]
    return ends or [name for name in names if fnmatch.fnmatchcase(name, pattern)]


def find_names(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """Returns the names of all patterns, each once.

    Raises:
        DataError: A pattern matches no name.
    """
    names = list(dict.fromkeys(names))
    found: dict[str, None] = {}
    for pattern in patterns:
        matched = matching(pattern, names)
        if not matched:
            raise _unknown(pattern, names)
        found |= dict.fromkeys(matched)
    return list(found)


def find_name(pattern: str, names: Iterable[str]) -> str:
    """Returns the only name that a pattern stands for.

    A metric of evaluations comes before a loss of the training of the same name.

    Raises:
        DataError: It matches no name, or several.
    """
    found = find_names([pattern], names)
    found = [n for n in found if not n.startswith(TRAIN)] or found
    if len(found) > 1:
        problem = f"is not unique: it stands for {first_names(found, _MAX_NAMES)}"
        raise DataError(f"--metric {pattern}", problem, "write a longer name")
    return found[0]


def short_name(name: str) -> str:
    """Returns a name without the part that all metrics of a kind share.

    >>> short_name("DetectionBoxes_Precision/mAP@.50IOU"), short_name("Loss/total_loss")
    ('mAP@.50IOU', 'Loss/total_loss')
    >>> short_name("DetectionMasks_PerformanceByCategory/mAP/cat")
    'Masks AP/cat'
    """
    found = re.fullmatch(r"Detection(\w+?)_(Precision|Recall)/(.*)", name)
    category = re.fullmatch(r"Detection(\w+?)_PerformanceByCategory/mAP/(.*)", name)
    if found:
        kind, end = found[1], found[3]
    elif category:
        kind, end = category[1], f"AP/{category[2]}"
    else:
        return name
    return end if kind == "Boxes" else f"{kind} {end}"


def _unknown(pattern: str, names: list[str]) -> DataError:
    if not names:
        return DataError(f"--metric {pattern}", "the runs have no metrics yet")
    hint = did_you_mean(pattern, [*names, *(n.rpartition("/")[2] for n in names)])
    return DataError(
        f"--metric {pattern}",
        f"no run has this metric; known are {first_names(names, _MAX_NAMES)}",
        hint,
    )
