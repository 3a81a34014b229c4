"""Base of the exporters of networks that take resized images."""

import abc
import os
import pathlib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from odapi.data.image.resize import Resizer
from odapi.errors import CheckpointError, ConfigError
from odapi.exporters.exporter import Exporter, ExportOptions, Outputs
from odapi.exporters.network import IMAGES, Network
from odapi.exporters.network_predictor import (
    NetworkPredictor,
    network_inputs,
    resized_as_given,
)
from odapi.labels import LabelMap

# Types of the input images by input type.
DTYPES = {"image_tensor": "uint8", "float_image_tensor": "float32"}
DEFAULT = "default"


class NetworkExporter(Exporter):
    """Writes networks without resizing, which their runtimes differ in.

    Attributes:
        suffix: Of the files.
    """

    suffix: ClassVar[str]
    raw_outputs = False
    resizes = False
    portable = True

    def check(self, options: ExportOptions) -> None:
        """Checks the options and the installation before anything is loaded."""
        super().check(options)
        if options.input_type not in DTYPES:
            raise ConfigError(
                "input_type",
                f"{options.input_type} is not supported by {self.title} files, which "
                "take pixels",
                hint=f"use one of {', '.join(DTYPES)}",
            )

    @abc.abstractmethod
    def load_network(self, path: pathlib.Path) -> Network:
        """Returns an exported file in the runtime of its format.

        Raises:
            CheckpointError: It is damaged.
        """

    def open(
        self, path: pathlib.Path, resizer: Resizer, options: ExportOptions
    ) -> "RunnableNetwork":
        """Returns an exported network, to be verified."""
        return RunnableNetwork(self.load_network(path), resizer)

    def find(self, path: str | os.PathLike) -> pathlib.Path | None:
        """Returns the file at `path` or in the folder `path`, else None."""
        path = pathlib.Path(path)
        if path.suffix == self.suffix and path.is_file():
            return path
        # In a folder only files of our names: a run may have other files of the user.
        named = [path / self.filename_of(name) for name in self.precisions]
        return next((file for file in named if file.is_file()), None)

    def load(
        self,
        path: str | os.PathLike,
        label_map: str | os.PathLike[str] | LabelMap | None = None,
    ) -> NetworkPredictor:
        """Returns an exported file as a predictor."""
        found = self.find(path)
        if found is None:
            raise CheckpointError(str(path), f"is no {self.title} file")
        return NetworkPredictor(self.load_network(found), label_map)

    def resize(
        self, resizer: Resizer, image: np.ndarray, options: ExportOptions
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns an image resized as `NetworkPredictor` does it."""
        return resized_as_given(resizer, image, DTYPES[options.input_type])


class RunnableNetwork:
    """An exported network, to be verified.

    Args:
        network: The network.
        resizer: Of the detector.
    """

    entry_points = (DEFAULT,)

    def __init__(self, network: Network, resizer: Resizer):
        self._network, self._resizer = network, resizer
        self.load_seconds = network.load_seconds

    def make_inputs(
        self,
        entry_point: str,
        image: np.ndarray,
        boxes: np.ndarray | None,
        side_inputs: Mapping[str, np.ndarray],
    ) -> Any:
        """Returns the inputs: one image, repeated to a full batch."""
        spec = self._network.inputs[IMAGES]
        resized = resized_as_given(self._resizer, image, spec.dtype)
        pixels, size = (np.repeat(value, spec.shape[0] or 1, 0) for value in resized)
        return network_inputs(self._network, pixels, size, side_inputs)

    def call(self, entry_point: str, inputs: Any) -> Outputs:
        """Returns the outputs."""
        return self._network(inputs)
