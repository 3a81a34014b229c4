"""The first images of a training, as the model gets them."""

import numpy as np

from odapi.draw.image import draw_objects
from odapi.labels import LabelMap
from odapi.structures import Batch

_MOST = 3


def input_pictures(batch: Batch, label_map: LabelMap | None = None) -> list[np.ndarray]:
    """Returns some images of a batch, augmented and padded, with their objects."""
    truth = batch.groundtruth
    pictures = []
    for i in range(min(_MOST, len(batch.images))):
        valid = np.asarray(truth.valid[i], bool)
        objects = {
            "boxes": np.asarray(truth.boxes[i])[valid],
            "classes": np.asarray(truth.classes[i])[valid],
        }
        image = np.asarray(batch.images[i])
        pictures.append(draw_objects(image, objects, label_map))
    return pictures
