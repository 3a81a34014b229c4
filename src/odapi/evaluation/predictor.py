"""What finds objects in plain images, wherever its weights came from."""

import collections
import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from odapi.build.resizer import build_resizer
from odapi.checkpoints.detector import load_detector
from odapi.evaluation.model import evaluation_model, real_rows
from odapi.labels import LabelMap

Arrays = dict[str, Any]


class Predictor(Protocol):
    """Finds objects in images of any size; also what an exported model looks like."""

    name: str  # For messages, such as the folder.
    label_map: LabelMap

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
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
        name: For messages.
    """

    def __init__(
        self,
        detector: Any,
        resizer: Any,
        label_map: LabelMap,
        batch_size: int = 8,
        name: str = "detector",
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.label_map = label_map
        self.batch_size = batch_size
        self.name = name
        self._resizer = resizer
        self._model = evaluation_model(detector)

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns what is found in each image; see `Predictor`."""
        by_shape = collections.defaultdict(list)
        for n, image in enumerate(images):
            pixels, true_size = self._resizer.resize(image)
            by_shape[pixels.shape].append((n, pixels, true_size))
        found: list[Arrays] = [{} for _ in images]
        for rows in by_shape.values():
            for start in range(0, len(rows), self.batch_size):
                chunk = rows[start : start + self.batch_size]
                for (n, _, _), detections in zip(
                    chunk, self._run([r[1:] for r in chunk]), strict=True
                ):
                    found[n] = detections
        return found

    def _run(self, rows: list[tuple[np.ndarray, tuple[int, int]]]) -> list[Arrays]:
        padded = rows + rows[-1:] * (self.batch_size - len(rows))
        images = np.stack([pixels for pixels, _ in padded])
        found, _ = self._model.run(images, [size for _, size in padded])
        return [real_rows(found, i) for i in range(len(rows))]


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
    model = getattr(loaded.config.model, loaded.config.model.WhichOneof("model"))
    return DetectorPredictor(
        loaded.detector,
        build_resizer(model.image_resizer),
        loaded.label_map,
        batch_size,
        str(loaded.folder),
    )
