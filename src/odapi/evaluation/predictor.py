"""What finds objects in plain images, wherever its weights came from.

Imports no Keras: running an exported model does not wait for it.
"""

import collections
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from odapi.labels import LabelMap

Arrays = dict[str, Any]

# Our names, and the original's.
_NAMES = {
    "boxes": "detection_boxes",
    "classes": "detection_classes",
    "scores": "detection_scores",
}


class Predictor(Protocol):
    """Finds objects in images of any size."""

    label_map: LabelMap

    def detect(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns what is found in each image, best first.

        Args:
            images: `[h, w, 3]` uint8 RGB, of any sizes.

        Returns:
            A dict an image: `boxes [n, 4]` normalised `[y_min, x_min, y_max, x_max]`
            of the image as given, `classes [n]` from 0, `scores [n]`.
        """


class ServingPredictor:
    """A model that speaks the original's names, as exported models do.

        ServingPredictor(tf.saved_model.load("exported/saved_model"), label_map)

    Args:
        model: Called with uint8 `[b, h, w, 3]`; returns `detection_boxes`,
            `detection_classes` (from 1), `detection_scores` and `num_detections`,
            each with a batch dimension.
        label_map: The classes; None takes `model.label_map`, or where it has none
            shows numbers.
        batch_size: Images a call; a model with a `batch_size` of its own decides.
    """

    def __init__(
        self,
        model: Callable[[np.ndarray], Mapping[str, Any]],
        label_map: LabelMap | None = None,
        batch_size: int = 8,
    ):
        self.model = model
        known = label_map or getattr(model, "label_map", None)
        self.label_map: LabelMap = known or LabelMap(())
        self._fixed = getattr(model, "batch_size", None)
        self.batch_size = self._fixed or batch_size

    def detect(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns what is found in each image; see `Predictor`."""
        found: list[Arrays] = [{} for _ in images]
        for indices in chunks([image.shape for image in images], self.batch_size):
            # Only a model of fixed size needs a whole batch; others go faster.
            padding = self.batch_size - len(indices) if self._fixed else 0
            padded = indices + indices[-1:] * padding
            outputs = self.model(np.stack([images[i] for i in padded]))
            arrays = {k: np.asarray(outputs[k]) for k in _NAMES.values()}
            for row, i in enumerate(indices):
                number = int(np.asarray(outputs["num_detections"])[row])
                found[i] = {k: arrays[n][row][:number] for k, n in _NAMES.items()}
                found[i]["classes"] = found[i]["classes"].astype(np.int32) - 1
        return found


def as_predictor(model: Any, batch_size: int = 8) -> Predictor:
    """Returns a `Predictor` as it is, and an exported model as one."""
    return (
        model if hasattr(model, "detect") else ServingPredictor(model, None, batch_size)
    )


def chunks(shapes: Sequence[tuple[int, ...]], size: int) -> Iterator[list[int]]:
    """Yields indices of images of one shape, at most `size` at a time."""
    by_shape = collections.defaultdict(list)
    for i, shape in enumerate(shapes):
        by_shape[shape].append(i)
    for indices in by_shape.values():
        for start in range(0, len(indices), size):
            yield indices[start : start + size]
