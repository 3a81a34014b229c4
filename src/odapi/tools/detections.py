"""Adds detected boxes to images of which only the class is known.

Source: the original's dataset_tools/context_rcnn/generate_detection_data.py.
"""

import dataclasses
from collections.abc import Callable

from odapi.tools import records
from odapi.tools.finder import Find, load_finder

_BOX = "image/object/bbox/"
_LABEL, _TEXT = "image/object/class/label", "image/object/class/text"
EMPTY = 0  # Class of images without an object.


class SeveralClassesError(ValueError):
    """An image has several classes, so that the class of a box is ambiguous."""


@dataclasses.dataclass(frozen=True)
class AddBoxes:
    """Adds confident detections with the class of the image. Picklable.

    Args:
        model: See `load_finder`.
        min_score: Minimum score of a box.
        load: Loads the model, given its path and "".
    """

    model: str
    min_score: float = 0.9
    load: Callable[[str, str], Find] = load_finder

    def __call__(self, record: bytes) -> bytes:
        """Returns the tf.Example with boxes; unchanged if it already has boxes.

        Raises:
            SeveralClassesError: The image has several classes.
            ValueError: The image is missing or damaged.
        """
        example = records.parse(record)
        if records.values(example, f"{_BOX}ymin"):
            return record
        for labels, texts in (
            (_LABEL, _TEXT),
            ("image/class/label", "image/class/text"),
        ):
            pair = records.values(example, labels), records.values(example, texts)
            if any(pair):
                break
        ids, names = (list(dict.fromkeys(values)) for values in pair)
        if max(len(ids), len(names)) > 1:
            raise SeveralClassesError(f"classes {names or ids}")
        known = (ids and ids[0] != EMPTY) or (not ids and names)
        found = self.load(self.model, "")(record) if known else {"scores": ()}
        boxes = [
            found["boxes"][n]
            for n, s in enumerate(found["scores"])
            if s >= self.min_score
        ]
        for place, side in enumerate(("ymin", "xmin", "ymax", "xmax")):
            records.put(example, _BOX + side, [box[place] for box in boxes], float)
        records.put(example, _LABEL, ids[:1] * len(boxes), int)
        records.put(example, _TEXT, names[:1] * len(boxes), bytes)
        scores = [s for s in found["scores"] if s >= self.min_score]
        records.put(example, "image/object/class/score", scores, float)
        return example.SerializeToString()
