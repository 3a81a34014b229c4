"""What finds objects in plain images, wherever its weights came from."""

import collections
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from odapi.build.resizer import model_resizer
from odapi.checkpoints.detector import load_detector
from odapi.evaluation.model import evaluation_model, real_rows
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


class DetectorPredictor:
    """A detector with the resizer of its config.

    Args:
        detector: Built, with weights.
        resizer: A `Resizer`: sets the size that the detector takes.
        label_map: The classes.
        batch_size: Every call of the detector has as many images, so that it is
            compiled once a size.

    Raises:
        ValueError: batch_size is below 1.
    """

    def __init__(
        self,
        detector: Any,
        resizer: Any,
        label_map: LabelMap,
        batch_size: int = 8,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.label_map = label_map
        self.batch_size = batch_size
        self._resizer = resizer
        self._model = evaluation_model(detector)

    def detect(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns what is found in each image; see `Predictor`."""
        made = [self._resizer.resize(image) for image in images]
        found: list[Arrays] = [{} for _ in images]
        for indices in _chunks([pixels.shape for pixels, _ in made], self.batch_size):
            padded = indices + indices[-1:] * (self.batch_size - len(indices))
            pixels = np.stack([made[i][0] for i in padded])
            batch, _ = self._model.run(pixels, [made[i][1] for i in padded])
            for row, i in enumerate(indices):
                found[i] = real_rows(batch, row)
        return found


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
        for indices in _chunks([image.shape for image in images], self.batch_size):
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


def load_predictor(
    checkpoint: str | os.PathLike, overrides: Sequence[str] = (), batch_size: int = 8
) -> DetectorPredictor:
    """Loads a trained detector, ready for images.

    Args:
        checkpoint: A model_dir, a checkpoint folder, or a folder made by
            `odapi export` (its weights; TensorFlow is not needed).
        overrides: Of its config.
        batch_size: Images that the detector sees at once.

    Raises:
        CheckpointError: There is no checkpoint, or it does not fit its config.
    """
    loaded = load_detector(checkpoint, overrides)
    return DetectorPredictor(
        loaded.detector, model_resizer(loaded.config), loaded.label_map, batch_size
    )


def _chunks(shapes: Sequence[tuple[int, ...]], size: int) -> Iterator[list[int]]:
    """Indices of images of one shape, at most `size` at a time."""
    by_shape = collections.defaultdict(list)
    for i, shape in enumerate(shapes):
        by_shape[shape].append(i)
    for indices in by_shape.values():
        for start in range(0, len(indices), size):
            yield indices[start : start + size]
