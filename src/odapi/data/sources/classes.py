"""Lookup of annotated class names in the label map, before training starts."""

import collections

from odapi.data.problems import Problems
from odapi.errors import DataError, did_you_mean
from odapi.labels import LabelMap
from odapi.wording import counted

_NAMED = 5


class UnknownClassError(DataError):
    """A dataset has objects of classes that the label map lacks."""


UNKNOWN = -1  # Index of a class whose objects are dropped.


class ClassIndex:
    """Looks up classes, and collects those that the label map lacks.

    Args:
        label_map: The classes.
        name: Of the source, for messages.
        problems: Counts dropped objects.
        drop: Whether to drop objects of unknown classes instead of refusing them.
    """

    def __init__(
        self, label_map: LabelMap, name: str, problems: Problems, drop: bool = False
    ):
        self.label_map = label_map
        self.name = name
        self.problems = problems
        self.drop = drop
        self._unknown: dict[str, list[str]] = collections.defaultdict(list)
        self._counts: collections.Counter[str] = collections.Counter()

    def of_name(self, name: str, where: str, count: int = 1) -> int:
        """Returns the index of a class by its name, or `UNKNOWN`."""
        category = self.label_map.by_name.get(name)
        if category is None:
            self._miss(name, where, count)
            return UNKNOWN
        return category.index

    def of_id(self, class_id: int, where: str, count: int = 1, shown: str = "") -> int:
        """Returns the index of a class by its id, or `UNKNOWN`.

        Args:
            class_id: The id in the label map.
            where: The object, for messages.
            count: Number of objects.
            shown: The class as the file has it; "" if it has this id.
        """
        category = self.label_map.of_data_id(class_id)
        if category is None:
            name = self.label_map.name_of_data_id(class_id)
            shown = shown or f"id {class_id}"
            self._miss(name.replace(f"id {class_id}", shown, 1), where, count)
            return UNKNOWN
        return category.index

    def _miss(self, name: str, where: str, count: int) -> None:
        if self.drop:
            self.problems.found("unknown class, dropped", f"{where} ({name})")
            return
        self._counts[name] += count
        if len(self._unknown[name]) < _NAMED:
            self._unknown[name].append(where)

    def check(self) -> None:
        """Raises an error if a class is unknown, unless such objects are dropped.

        Raises:
            UnknownClassError: Lists the unknown classes and their first occurrences.
        """
        if not self._unknown:
            return
        for name, count in self._counts.items():
            self.problems.found("unknown class", f"{name} ({counted(count, 'object')})")
        lines = [
            f"{name!r} ({self._counts[name]} objects, first in {', '.join(where[:3])})"
            for name, where in list(self._unknown.items())[:_NAMED]
        ]
        more = len(self._unknown) - len(lines)
        known = [c.name for c in self.label_map]
        guess = did_you_mean(next(iter(self._unknown)), known)
        raise UnknownClassError(
            self.name,
            f"classes are missing in {self.label_map.source}: {'; '.join(lines)}"
            + (f" and {more} more" if more > 0 else "")
            + f"; it has {', '.join(known[:20]) or 'none'}"
            + (", ..." if len(known) > 20 else ""),
            hint=" ".join(
                [
                    guess,
                    "add them to the label map, or drop their objects: --set "
                    "options.data_loading.drop_unknown_classes=true, or unknown=drop "
                    "after a path, such as 'voc:DIR?unknown=drop'",
                ]
            ).strip(),
        )
