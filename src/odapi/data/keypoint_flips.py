"""Keypoints that a horizontal flip exchanges, such as left and right eyes."""

import re

from odapi.labels import LabelMap

# Words of names that are swapped by a horizontal flip.
_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def flip_permutation(label_map: LabelMap) -> list[int]:
    """Returns the id of the mirror image of each keypoint.

    It is the one that the dataset states, as `flip_idx` of YOLO; else the keypoint of
    the same name with left and right exchanged, such as `left_eye` and `right_eye`,
    `EyeL` and `EyeR`; else the keypoint itself.
    """
    order = list(range(label_map.num_keypoints))
    for category in label_map:
        ids = {k.name: k.id for k in category.keypoints}
        mirrored = category.flip or [ids.get(_mirrored(n), i) for n, i in ids.items()]
        for keypoint, other in zip(category.keypoints, mirrored, strict=True):
            order[keypoint.id] = other
    return order


def _mirrored(name: str) -> str:
    def swap(found: re.Match) -> str:
        word = found[0]
        other = _SIDES.get(word.lower(), word)
        if word.isupper():
            return other.upper()
        return other.capitalize() if word[0].isupper() else other

    return _WORD.sub(swap, name)
