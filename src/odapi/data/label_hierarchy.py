"""Hierarchies of classes: of a label map, or of a hierarchy file of Open Images."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from odapi.errors import DataError
from odapi.files import read_file
from odapi.labels import LabelMap
from odapi.wording import first_names

_NAME, _CHILDREN = "LabelName", "Subcategory"
_MAX_DEPTH = 100


@dataclasses.dataclass(frozen=True)
class LabelHierarchy:
    """Ancestors and descendants of each class, by class index.

    Args:
        ancestors: Classes that a class is a kind of, itself excluded.
        descendants: Classes that are a kind of a class, itself excluded.
    """

    ancestors: Mapping[int, frozenset[int]]
    descendants: Mapping[int, frozenset[int]]

    def with_ancestors(self, classes: Iterable[int]) -> set[int]:
        """Returns the classes together with their ancestors."""
        given = set(classes)
        return given.union(*(self.ancestors.get(c, ()) for c in given))

    def with_descendants(self, classes: Iterable[int]) -> set[int]:
        """Returns the classes together with their descendants."""
        given = set(classes)
        return given.union(*(self.descendants.get(c, ()) for c in given))


def hierarchy_of(label_map: LabelMap) -> LabelHierarchy:
    """Returns the hierarchy that `ancestor_ids` and `descendant_ids` of items define.

    As in the TF Object Detection API, each item lists all of its ancestors and all of
    its descendants: the ids of one item follow from no other item.

    Raises:
        DataError: No item has such ids, or an id is of no item.
    """
    for category in label_map:
        for class_id in (*category.ancestor_ids, *category.descendant_ids):
            if class_id not in label_map.by_id:
                raise DataError(
                    label_map.source,
                    f"{category.name!r} has the ancestor or descendant id {class_id}, "
                    "which no item has",
                )
    found = LabelHierarchy(
        {c.index: _indices(c.ancestor_ids) - {c.index} for c in label_map},
        {c.index: _indices(c.descendant_ids) - {c.index} for c in label_map},
    )
    if not any((*found.ancestors.values(), *found.descendants.values())):
        raise DataError(
            label_map.source,
            "no item has ancestor_ids or descendant_ids, which expand_labels_hierarchy "
            "needs",
            hint="name the hierarchy file of Open Images: --set "
            "options.data_loading.label_hierarchy=bbox_labels_600_hierarchy.json",
        )
    return found


def load_hierarchy(path: str | pathlib.Path) -> dict[str, frozenset[str]]:
    """Returns the ancestors of each class of a hierarchy file of Open Images, by name.

    The root, which stands for any object, is no class. A class that appears in several
    places has the ancestors of all of them. `Part` relations are not read: a wheel is
    no kind of car.

    Raises:
        DataError: The file cannot be read, or is no such file.
    """
    try:
        root = json.loads(read_file(pathlib.Path(path).expanduser()))
    except OSError as error:
        raise DataError(str(path), f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(str(path), f"is not a JSON file: {error}") from error
    found: dict[str, set[str]] = {}
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while waiting:
        node, above = waiting.pop()
        place = " > ".join(above) or "the root"
        if not isinstance(node, dict) or not isinstance(node.get(_NAME), str):
            raise DataError(
                str(path),
                f"an entry below {place} has no text {_NAME!r}",
                hint="the file is bbox_labels_600_hierarchy.json of Open Images: "
                '{"LabelName": ..., "Subcategory": [...]}',
            )
        if len(above) > _MAX_DEPTH:
            raise DataError(str(path), f"has more than {_MAX_DEPTH} levels")
        name, children = node[_NAME], node.get(_CHILDREN, [])
        if not isinstance(children, list):
            raise DataError(str(path), f"{_CHILDREN!r} of {name!r} is not a list")
        if above:
            found.setdefault(name, set()).update(above[1:])
        waiting += [(child, (*above, name)) for child in children]
    return {name: frozenset(above - {name}) for name, above in found.items()}


def with_hierarchy(label_map: LabelMap, path: str | pathlib.Path) -> LabelMap:
    """Returns the label map with the ids of ancestors and descendants of a file.

    Args:
        label_map: The classes; found in the file by name, or else by display name.
        path: A hierarchy file of Open Images.

    Raises:
        DataError: The file cannot be read, or has none of the classes.
    """
    ancestors = load_hierarchy(path)
    ids = {
        name: category.id
        for category in label_map
        for name in (category.display_name, category.name)
        if name in ancestors
    }
    if not ids:
        raise DataError(
            str(path),
            f"has none of the classes of {label_map.source}: "
            f"{first_names([c.name for c in label_map], 5)}; it has "
            f"{first_names(list(ancestors), 5)}",
            hint="classes are matched by name or display_name, such as /m/01g317",
        )
    above: dict[int, set[int]] = {c.id: set() for c in label_map}
    below: dict[int, set[int]] = {c.id: set() for c in label_map}
    for name, class_id in ids.items():
        for ancestor in {ids[n] for n in ancestors[name] if n in ids} - {class_id}:
            above[class_id].add(ancestor)
            below[ancestor].add(class_id)
    categories = tuple(
        dataclasses.replace(
            c,
            ancestor_ids=tuple(sorted(above[c.id])),
            descendant_ids=tuple(sorted(below[c.id])),
        )
        for c in label_map
    )
    return dataclasses.replace(label_map, categories=categories)


def _indices(ids: Iterable[int]) -> frozenset[int]:
    return frozenset(class_id - 1 for class_id in ids)
