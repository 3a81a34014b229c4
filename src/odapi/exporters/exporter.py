"""The contract of every exporter: one subclass per format."""

import abc
import dataclasses
import importlib.util
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from odapi.data.image.resize import Resizer
from odapi.errors import MissingPackageError
from odapi.exporters.input_types import check_input_type
from odapi.exporters.model_info import ModelInfo
from odapi.exporters.source import ExportSource
from odapi.inference.predictor import Predictor
from odapi.labels import LabelMap

Outputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Choices of the user that every format has.

    Args:
        input_type: Of the default entry point; see `odapi.exporters.input_types`.
        batch_size: Images per call; None: any number.
        precision: Of weights and activations, such as "float32".
        tflite_nms: NMS of a TFLite file: "graph", or "fast" or "regular", in a custom
            operator; see `odapi.exporters.tflite.detection_op`.
    """

    input_type: str = "image_tensor"
    batch_size: int | None = None
    precision: str = "float32"
    tflite_nms: str = "graph"


class RunnableExport(Protocol):
    """An exported model whose entry points can be called one by one, to verify it."""

    load_seconds: float

    @property
    def entry_points(self) -> Sequence[str]:
        """Names of the entry points, the default one first."""

    def make_inputs(
        self,
        entry_point: str,
        image: np.ndarray,
        boxes: np.ndarray | None,
        side_inputs: Mapping[str, np.ndarray],
    ) -> Any:
        """Returns the inputs of an entry point: one image, repeated to a full batch.

        Args:
            entry_point: One of `entry_points`.
            image: uint8 `[h, w, c]`.
            boxes: `[1, n, 4]` for models that take boxes, else None.
            side_inputs: Further inputs by name, each with one row.
        """

    def call(self, entry_point: str, inputs: Any) -> Outputs:
        """Returns the outputs by the original's names, with a batch dimension."""


class Exporter(abc.ABC):
    """Writes detectors in one format, and reads them back.

    Attributes:
        format: Value of `odapi export --format`.
        title: Name of the format in messages.
        filename: File or folder that it writes into the folder of an export, in
            float32.
        precisions: Values of `odapi export --precision` that it has.
        backend: Keras backend that it runs on.
        writing_packages: Packages that writing needs.
        packages: Packages that running needs; the extra to install is `extra`.
        raw_outputs: Whether boxes and scores before NMS are outputs.
        resizes: Whether the exported model resizes images itself.
        portable: Whether the detector is traced with `portable_operations`.
    """

    format: ClassVar[str]
    title: ClassVar[str]
    filename: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    backend: ClassVar[str]
    writing_packages: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    raw_outputs: ClassVar[bool] = True
    resizes: ClassVar[bool] = True
    portable: ClassVar[bool] = False

    def filename_of(self, precision: str) -> str:
        """Returns the name of the file or folder of a precision."""
        if precision == "float32":
            return self.filename
        stem, dot, suffix = self.filename.partition(".")
        return f"{stem}_{precision}{dot}{suffix}"

    def check(self, options: ExportOptions) -> None:
        """Checks the options and the installation before anything is loaded.

        Raises:
            ConfigError: An option is invalid.
            MissingPackageError: A package is not installed.
        """
        check_input_type(options.input_type)
        for package in self.writing_packages or self.packages:
            if importlib.util.find_spec(package) is None:
                raise MissingPackageError("odapi export", package, self.extra)

    @abc.abstractmethod
    def export(
        self,
        source: ExportSource,
        path: pathlib.Path,
        options: ExportOptions,
    ) -> None:
        """Writes a detector to `path`; `options` have passed `check`.

        Raises:
            ConfigError: The model cannot be exported in this format.
        """

    def is_exact(self, options: ExportOptions) -> bool:
        """Returns whether results are those of the detector up to rounding."""
        return options.precision == "float32"

    def attach(self, path: pathlib.Path, info: ModelInfo) -> None:  # noqa: B027
        """Writes facts into an exported model, if the format has a place for them."""

    @abc.abstractmethod
    def open(
        self, path: pathlib.Path, resizer: Resizer, options: ExportOptions
    ) -> RunnableExport:
        """Returns an exported model, to be verified.

        Args:
            path: The model.
            resizer: Of the detector.
            options: Of the export.
        """

    @abc.abstractmethod
    def find(self, path: str | os.PathLike) -> pathlib.Path | None:
        """Returns the exported model at `path` or in the folder `path`, else None."""

    @abc.abstractmethod
    def load(
        self,
        path: str | os.PathLike,
        label_map: str | os.PathLike[str] | LabelMap | None = None,
    ) -> Predictor:
        """Returns an exported model as a predictor.

        Args:
            path: See `find`.
            label_map: The classes, or their file; None: those beside the model.

        Raises:
            CheckpointError: There is none, or it cannot be read.
        """

    def resize(
        self, resizer: Resizer, image: np.ndarray, options: ExportOptions
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns an image resized as the exported model gets it.

        Formats without resizing in the model do it on the host, which is the default.

        Args:
            resizer: Of the detector.
            image: uint8 `[h, w, c]`.
            options: Of the export.

        Returns:
            float32 `[1, H, W, c]` and the size without padding, int32 `[1, 2]`.
        """
        resized, size = resizer.resize(image.astype(np.float32))
        return resized[None], np.array([size], np.int32)
