"""A trained detector as a predictor."""

import collections
from collections.abc import Iterator, Sequence

import numpy as np

from odapi.build.metrics import keypoint_edges
from odapi.build.resizer import model_resizer
from odapi.checkpoints.load_detector import LoadedDetector, load_detector
from odapi.data.context_features import one_bank
from odapi.data.image.resize import Resizer
from odapi.files import Pathlike
from odapi.inference.model import evaluation_model, real_rows
from odapi.inference.predictor import Arrays
from odapi.labels import LabelMap
from odapi.models.detector import Detector


class DetectorPredictor:
    """A detector with the resizer of its config.

    Args:
        detector: Built, with weights.
        resizer: Resizes images to the size that the detector takes.
        label_map: The classes.
        batch_size: Images per call of the detector; smaller batches are padded, so
            that it is compiled once per image size.
        keypoint_edges: Pairs of keypoint ids that drawings connect.

    Raises:
        ValueError: batch_size is below 1.
    """

    def __init__(
        self,
        detector: Detector,
        resizer: Resizer,
        label_map: LabelMap,
        batch_size: int = 8,
        keypoint_edges: tuple[tuple[int, int], ...] = (),
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.label_map = label_map
        self.batch_size = batch_size
        self.keypoint_edges = keypoint_edges
        self.side_inputs: Arrays = {}
        self.num_channels = detector.num_channels
        self._resizer = resizer
        self._detector = detector
        self._model = evaluation_model(detector)

    def with_batch_size(self, batch_size: int) -> "DetectorPredictor":
        """Returns the predictor with another batch size; shares the compiled model."""
        return DetectorPredictor(
            self._detector,
            self._resizer,
            self.label_map,
            batch_size,
            self.keypoint_edges,
        )

    def attend(self, bank: Pathlike | np.ndarray) -> None:
        """Sets the memory bank of a Context R-CNN for all images.

        Args:
            bank: `[n, d]`, or a .npy file that holds it.

        Raises:
            DataError: The bank is not what the detector reads.
        """
        specs = self._detector.side_inputs
        self.side_inputs = one_bank(bank, {k: shape for k, (shape, _) in specs.items()})

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns the objects of each image; see `Predictor`."""
        made = [self._resizer.resize(image) for image in images]
        found: list[Arrays] = [{} for _ in images]
        for indices in _chunks([pixels.shape for pixels, _ in made], self.batch_size):
            padded = indices + indices[-1:] * (self.batch_size - len(indices))
            pixels = np.stack([made[i][0] for i in padded])
            sizes = [made[i][1] for i in padded]
            side = {k: v.repeat(len(padded), 0) for k, v in self.side_inputs.items()}
            batch, _ = self._model.run(pixels, sizes, side_inputs=side)
            for row, i in enumerate(indices):
                found[i] = real_rows(batch, row)
        return found


def predictor_of(loaded: LoadedDetector, batch_size: int = 8) -> DetectorPredictor:
    """Returns a loaded detector as a predictor."""
    return DetectorPredictor(
        loaded.detector,
        model_resizer(loaded.config),
        loaded.label_map,
        batch_size,
        keypoint_edges(loaded.config.eval_config),
    )


def load_predictor(
    checkpoint: Pathlike, overrides: Sequence[str] = (), batch_size: int = 8
) -> DetectorPredictor:
    """Loads a trained detector, ready for images.

    Args:
        checkpoint: A run folder, a checkpoint folder, or a folder made by
            `odapi export` (its weights; TensorFlow is not needed).
        overrides: Of its config.
        batch_size: Images per call of the detector.

    Raises:
        CheckpointError: There is no checkpoint, or it does not fit its config.
    """
    return predictor_of(load_detector(checkpoint, overrides), batch_size)


def _chunks(shapes: Sequence[tuple[int, ...]], size: int) -> Iterator[list[int]]:
    """Yields indices of images of one shape, at most `size` at a time."""
    by_shape = collections.defaultdict(list)
    for i, shape in enumerate(shapes):
        by_shape[shape].append(i)
    for indices in by_shape.values():
        for start in range(0, len(indices), size):
            yield indices[start : start + size]
