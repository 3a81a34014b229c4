"""Label maps made of the classes in TFRecord files."""

import itertools
from collections.abc import Sequence

from odapi.data.problems import Problems
from odapi.data.tfrecord.record_index import RecordIndex
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap


def is_numbered_from_0(indices: Sequence[RecordIndex], label_map: LabelMap) -> bool:
    """Returns whether ids count from 0 and the label map was made of such ids.

    So are the classes of a trained model whose data have neither names nor a label map.
    """
    found = {(number, name) for i in indices for number, name, _, _ in i.classes}
    return label_map.is_numbered and (0, "") in found


def label_map_of_records(
    indices: Sequence[RecordIndex], name: str, problems: Problems
) -> LabelMap:
    """Builds a label map from the names and ids in the records.

    Names keep their ids if names and ids correspond one to one; otherwise the names
    are numbered in alphabetical order. Ids without names are named by number.
    """
    pairs = {(n, t) for i in indices for n, t, _, _ in i.classes if t or n >= 0}
    source = f"classes in {name}"
    if not pairs:
        return LabelMap((), source)
    names = {t for _, t in pairs if t}
    ids = {n for n, _ in pairs}
    if names and all(t for _, t in pairs):
        if len(names) == len(ids) == len(pairs) and min(ids) >= 1:
            numbered = {n: t for n, t in sorted(pairs)}
        else:
            numbered = dict(enumerate(sorted(names), 1))
        return _with_keypoints(numbered, indices, source)
    if names:
        raise DataError(
            name,
            "some objects have a class name, others only an id",
            hint="give a label map",
        )
    shift = int(min(ids) == 0)
    if shift:
        problems.found("class id 0", name)
    numbered = {n + shift: f"class {n + shift}" for n in sorted(ids)}
    return _with_keypoints(numbered, indices, source, shift)


def _with_keypoints(
    numbered: dict[int, str],
    indices: Sequence[RecordIndex],
    source: str,
    shift: int = 0,
) -> LabelMap:
    """Returns the label map of named classes, with the keypoints of the records.

    Args:
        numbered: Names by id.
        indices: Of the files.
        source: Of the label map, for messages.
        shift: Difference of the ids from those in the records.
    """
    names: dict[str, dict[str, None]] = {}
    for class_id, text, found in itertools.chain(*(i.keypoint_names for i in indices)):
        name = text or numbered.get(class_id + shift, "")
        names.setdefault(name, {}).update(dict.fromkeys(found))
    categories, first = [], 0
    for number, name in numbered.items():
        own = names.get(name, {})
        keypoints = tuple(Keypoint(i, n) for i, n in enumerate(own, first))
        categories.append(Category(number, name, keypoints=keypoints))
        first += len(keypoints)
    return LabelMap(tuple(categories), source)
