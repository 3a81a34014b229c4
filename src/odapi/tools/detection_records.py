"""Detections as features of tf.Examples, with the names of the original.

Source: the original's core/standard_fields.py (TfExampleFields) and
inference/detection_inference.py.
"""

from typing import Any

from odapi.data.tfrecord.example import SIDES
from odapi.inference.prediction import Prediction
from odapi.tools import records

BOX, SCORE, LABEL = (
    "image/detection/bbox/",
    "image/detection/score",
    "image/detection/label",
)
ENCODED = "image/encoded"


def add_detections(example: Any, found: Prediction) -> None:
    """Sets the detections of an image, best first.

    Boxes are normalized, labels are ids of the label map. Earlier detections in the
    message are replaced.

    Args:
        example: A tf.Example message.
        found: The prediction on its image.
    """
    for column, side in enumerate(SIDES):
        records.put(example, BOX + side, found.boxes[:, column], float)
    records.put(example, SCORE, found.scores, float)
    records.put(example, LABEL, found.class_ids, int)


def drop_pixels(example: Any) -> None:
    """Removes the image file from a message."""
    example.features.feature.pop(ENCODED, None)


def image_example(found: Prediction, image_id: int | str, name: str) -> Any:
    """Returns a tf.Example message that names and measures an image."""
    example = records.empty()
    records.put(example, "image/height", [found.size[0]], int)
    records.put(example, "image/width", [found.size[1]], int)
    encoded = name.encode("utf-8", "surrogateescape")
    records.put(example, "image/filename", [encoded], bytes)
    records.put(example, records.SOURCE_ID, [str(image_id)], bytes)
    return example


def serialized(example: Any) -> bytes:
    """Returns the bytes of a message, the same ones in every process."""
    return bytes(example.SerializeToString(deterministic=True))
