"""Predictor that runs an exported network; imports no Keras."""

import collections
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.build.metrics import keypoint_edges
from odapi.build.resizer import model_resizer
from odapi.config.label_map import load_label_map
from odapi.data.context_features import one_bank
from odapi.data.image.resize import Resizer
from odapi.errors import CheckpointError
from odapi.exporters.detections_of_outputs import detections_of
from odapi.exporters.model_info import read_info
from odapi.exporters.network import IMAGES, TRUE_SIZE, Arrays, Network
from odapi.inference.image_in_memory import as_uint8
from odapi.labels import LabelMap

_BATCH_SIZE = 8  # Of networks that accept any number of images.


class NetworkPredictor:
    """Resizes images as the config says, and runs an exported network.

    Args:
        network: The network; its file carries the config and the classes.
        label_map: The classes, or their file; None: those of the file.

    Attributes:
        info: The facts that the file carries.
        load_seconds: Duration of loading.

    Raises:
        CheckpointError: The file was not written by odapi, or the label map has more
            classes than the model.
    """

    def __init__(
        self,
        network: Network,
        label_map: str | os.PathLike[str] | LabelMap | None = None,
    ):
        self.name = network.name
        self.info = read_info(network.metadata, network.name)
        self.load_seconds = network.load_seconds
        self.label_map = _label_map(label_map, self.info.label_map)
        config = self.info.pipeline
        self.keypoint_edges = keypoint_edges(config.eval_config)
        self.side_inputs: Arrays = {}
        self._network = network
        self._resizer = model_resizer(config)
        gray = self._resizer.grayscale  # type: ignore[attr-defined]
        self.num_channels = 3 if gray else int(network.inputs[IMAGES].shape[-1] or 3)

    def attend(self, bank: str | os.PathLike | np.ndarray) -> None:
        """Sets one memory bank `[n, d]` of a Context R-CNN for all images.

        Args:
            bank: `[n, d]`, or a .npy file that contains it.

        Raises:
            DataError: Its shape does not fit the model.
        """
        shapes = {
            name: tuple(size or 0 for size in spec.shape[1:])
            for name, spec in self._network.inputs.items()
            if name not in (IMAGES, TRUE_SIZE)
        }
        self.side_inputs = one_bank(bank, shapes)

    def __call__(self, images: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """Returns the objects of each image; see `Predictor`."""
        outputs = self.outputs(images)
        return [detections_of(rows) for rows in outputs]

    def outputs(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns the outputs of each image by the original's names.

        Args:
            images: uint8 `[h, w, c]`, of any sizes.

        Raises:
            CheckpointError: The runtime fails.
            DataError: The images are no uint8 arrays, or have other channels.
        """
        size = self._network.inputs[IMAGES].shape[0]
        made = [
            self._resizer.resize(as_uint8(image, self.num_channels)) for image in images
        ]
        by_shape = collections.defaultdict(list)
        for i, (pixels, _) in enumerate(made):
            by_shape[pixels.shape].append(i)
        found: list[Arrays] = [{} for _ in images]
        for indices in by_shape.values():
            step = size or min(_BATCH_SIZE, len(indices))
            for start in range(0, len(indices), step):
                part = indices[start : start + step]
                # A fixed batch is filled up with copies of its last image.
                rows = part + part[-1:] * ((size or len(part)) - len(part))
                given = network_inputs(
                    self._network,
                    np.stack([made[i][0] for i in rows]),
                    np.array([made[i][1] for i in rows], np.int32),
                    self.side_inputs,
                )
                outputs = self._network(given)
                for row, i in enumerate(part):
                    found[i] = {k: v[row] for k, v in outputs.items()}
        return found


def network_inputs(
    network: Network,
    images: np.ndarray,
    true_size: np.ndarray,
    side_inputs: Mapping[str, np.ndarray],
) -> Arrays:
    """Returns the inputs of a network for a batch; missing side inputs are zeros.

    Args:
        network: The network.
        images: `[b, h, w, c]`, resized, values of 0 to 255.
        true_size: int32 `[b, 2]`.
        side_inputs: By name, with one row for all images or one per image.
    """
    given: Arrays = {IMAGES: images, TRUE_SIZE: true_size}
    rows = len(images)
    inputs: Arrays = {}
    for name, spec in network.inputs.items():
        shape = [rows, *(size or 0 for size in spec.shape[1:])]
        value = given.get(name, side_inputs.get(name))
        if value is None:
            value = np.zeros(shape)
        if len(value) != rows:
            value = np.repeat(value[:1], rows, axis=0)
        if name == IMAGES and spec.dtype == "uint8":
            value = np.rint(value)
        inputs[name] = value.astype(spec.dtype)
    return inputs


def _label_map(
    given: str | os.PathLike[str] | LabelMap | None, own: LabelMap
) -> LabelMap:
    if given is None:
        return own
    classes = given if isinstance(given, LabelMap) else load_label_map(given)
    if classes.num_classes > own.num_classes:
        raise CheckpointError(
            classes.source,
            f"has ids up to {classes.num_classes}, the model has {own.num_classes}",
            hint="use the label map of the training",
        )
    return classes


def resized_as_given(
    resizer: Resizer, image: np.ndarray, dtype: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns an image as a network of the input type `dtype` gets it.

    Args:
        resizer: Of the detector.
        image: uint8 `[h, w, c]`.
        dtype: "uint8", which rounds resized values, or "float32".

    Returns:
        float32 `[1, H, W, c]` and the size without padding, int32 `[1, 2]`.
    """
    source = image if dtype == "uint8" else image.astype(np.float32)
    pixels, size = resizer.resize(source)
    return pixels[None].astype(np.float32), np.array([size], np.int32)
