"""Label maps: class ids (from 1) and class indices (from 0)."""

import collections
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from odapi.errors import DataError
from odapi.wording import first_names

_IN_REPR = 10  # Classes.
_MAX_ID = 2**31 - 1  # Class ids and indices are int32.


@dataclasses.dataclass(frozen=True)
class Keypoint:
    """One named keypoint of a class; ids count over all classes of a label map."""

    id: int
    name: str


@dataclasses.dataclass(frozen=True)
class Category:
    """A class of objects.

    Args:
        id: As in label maps and annotation files, 1 or higher.
        name: Name in tf.Examples and annotation files.
        display_name: Name for display; `name` if empty.
        keypoints: Named keypoints of the class, in order.
        skeleton: Pairs of connected keypoint ids; empty if unknown.
        flip: Id of the mirror image of each keypoint, in order; empty if unknown.
        ancestor_ids, descendant_ids: Class hierarchy of Open Images.
        frequency: "", "FREQUENT", "COMMON" or "RARE", as in LVIS.
        instance_count: Objects in the training data, as in LVIS; 0 if unknown.
    """

    id: int
    name: str
    display_name: str = ""
    keypoints: tuple[Keypoint, ...] = ()
    ancestor_ids: tuple[int, ...] = ()
    descendant_ids: tuple[int, ...] = ()
    frequency: str = ""
    instance_count: int = 0
    skeleton: tuple[tuple[int, int], ...] = ()
    flip: tuple[int, ...] = ()

    @property
    def index(self) -> int:
        """The class index of models, counted from 0."""
        return self.id - 1

    @property
    def label(self) -> str:
        """The name for display."""
        return self.display_name or self.name


@dataclasses.dataclass(frozen=True, repr=False)
class LabelMap:
    """The categories of a dataset, by id. Ids may have gaps, as in COCO.

    Args:
        categories: The categories.
        source: For messages.
        data_ids: The label map that ids without names in a dataset refer to, if it is
            another one, such as an edited version of that of a trained model.

    Raises:
        DataError: An id is below 1 or too large, an id or a name appears twice, or two
            keypoints of a class have the same name.
    """

    categories: tuple[Category, ...]
    source: str = "label map"
    data_ids: "LabelMap | None" = None

    def __post_init__(self) -> None:
        for name, other in (("id", "name"), ("name", "id")):
            values = [getattr(c, name) for c in self.categories]
            twice = _repeated(values)
            if twice:
                equal = [c for c in self.categories if getattr(c, name) == twice[0]]
                others = " and ".join(repr(getattr(c, other)) for c in equal)
                raise DataError(
                    self.source,
                    f"{name} {twice[0]!r} appears twice, with the {other}s {others}",
                    hint="each class needs its own id and its own name: rename one; "
                    "or, if both are one class, keep one and change the objects of "
                    "the other",
                )
        ids = [k.id for c in self.categories for k in c.keypoints]
        if twice := sorted({*_repeated(ids), *(i for i in ids if i < 0)}):
            raise DataError(
                self.source,
                f"keypoint id {twice[0]} is negative or appears twice",
                hint="keypoint ids count over all classes, from 0",
            )
        for category in self.categories:
            labels = [k.name for k in category.keypoints if k.name]
            if doubled := _repeated(labels):
                raise DataError(
                    self.source,
                    f"{category.name!r} has two keypoints with the name {doubled[0]!r}",
                    hint="give each keypoint of a class its own name",
                )
        low = [c for c in self.categories if c.id < 1]
        if low:
            raise DataError(
                self.source,
                f"id of {low[0].name!r} is {low[0].id}; ids count from 1",
                hint="0 stands for the background; add 1 to every id",
            )
        high = [c for c in self.categories if c.id > _MAX_ID]
        if high:
            raise DataError(
                self.source,
                f"id of {high[0].name!r} is {high[0].id}; ids are at most {_MAX_ID}",
                hint="number the classes from 1",
            )

    def __repr__(self) -> str:
        names = [f"{c.id} {c.label}" for c in self.categories]
        return f"<LabelMap {self.source}: {first_names(names, _IN_REPR) or 'empty'}>"

    def __len__(self) -> int:
        return len(self.categories)

    def __iter__(self) -> Iterator[Category]:
        return iter(self.categories)

    @property
    def num_classes(self) -> int:
        """The highest id, the minimum `num_classes` of a model."""
        return max((c.id for c in self.categories), default=0)

    @property
    def num_keypoints(self) -> int:
        """Number of keypoint slots; 0 if no class has keypoints."""
        ids = [k.id for c in self.categories for k in c.keypoints]
        return max(ids, default=-1) + 1

    @property
    def is_numbered(self) -> bool:
        """True if all names are made of ids, as for datasets without names."""
        return all(c.name == f"class {c.id}" for c in self.categories)

    @functools.cached_property
    def by_id(self) -> dict[int, Category]:
        """Categories by their id."""
        return {c.id: c for c in self.categories}

    @functools.cached_property
    def by_name(self) -> dict[str, Category]:
        """Categories by name, and by display name if no other has that name."""
        shown = {c.display_name: c for c in self.categories if c.display_name}
        return shown | {c.name: c for c in self.categories}

    def of_data_id(self, class_id: int) -> Category | None:
        """Returns the category that an id in a dataset refers to, or None."""
        if self.data_ids is None:
            return self.by_id.get(class_id)
        named = self.data_ids.by_id.get(class_id)
        if named is None:
            return None
        return self.by_name.get(named.name) or self.by_name.get(named.label)

    def name_of_data_id(self, class_id: int) -> str:
        """Returns "id 3", or "id 3 (cat)" if another label map names it."""
        named = self.data_ids.by_id.get(class_id) if self.data_ids else None
        return f"id {class_id}" + (f" ({named.label})" if named else "")

    def label(self, index: int) -> str:
        """Returns the display name of a class index, counted from 0."""
        category = self.by_id.get(int(index) + 1)
        return category.label if category else f"class {int(index) + 1}"


def label_map_of(names: Sequence[str], source: str = "label map") -> LabelMap:
    """Returns the label map that numbers `names` from 1, in order.

    Raises:
        DataError: The names are no list of texts, or a name appears twice.
    """
    wrong = [names] if isinstance(names, str) else names
    wrong = [n for n in wrong if not isinstance(n, str) or n is names]
    if wrong:
        raise DataError(
            source,
            f"class names are a list of texts, got {wrong[0]!r}",
            hint='such as ["cat", "dog"]',
        )
    return LabelMap(tuple(Category(i + 1, n) for i, n in enumerate(names)), source)


def _repeated(values: Sequence[Any]) -> list[Any]:
    """Returns the values that appear more than once."""
    counts = collections.Counter(values)
    return sorted((v for v, count in counts.items() if count > 1), key=str)
