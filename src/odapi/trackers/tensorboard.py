"""TensorBoard event files, with the tags of the TF Object Detection API.

They are written by the package tensorboard, without TensorFlow.
"""

import contextlib
import os
import pathlib
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.data.tfrecord.records import write_record
from odapi.draw.file import encode_image
from odapi.errors import MissingPackageError
from odapi.trackers.class_metrics import markdown

_DT_STRING = 7  # Of TensorFlow's DataType.


class TensorBoard:
    """Writes one event file, created at the first record.

    Args:
        folder: Folder of the file, such as `model_dir/train`.

    Raises:
        MissingPackageError: The package tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
        except ImportError as error:
            raise MissingPackageError("TensorBoard", "tensorboard", "track") from error
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._tensor = tensor_pb2.TensorProto
        self._folder = pathlib.Path(folder)
        self._path: pathlib.Path | None = None

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes scalars by their tags."""
        summary = self._summary()
        for tag, value in values.items():
            summary.value.add(tag=tag, simple_value=float(value))
        self._write(step, summary)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Writes images `[h, w, 3]` uint8 under `tag`, `tag/1` and so on."""
        summary = self._summary()
        for number, image in enumerate(images):
            value = summary.value.add(tag=f"{tag}/{number}" if number else tag)
            value.image.height, value.image.width = image.shape[:2]
            value.image.colorspace = 3
            value.image.encoded_image_string = encode_image(image, ".jpg")
        self._write(step, summary)

    def text(self, tag: str, text: str) -> None:
        """Writes a text, shown as it is."""
        self._markdown(0, tag, "\n".join(f"    {line}" for line in text.splitlines()))

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows as a table in the view of texts."""
        self._markdown(step, tag, markdown(rows))

    def _markdown(self, step: int, tag: str, text: str) -> None:
        summary = self._summary()
        value = summary.value.add(tag=tag)
        value.metadata.plugin_data.plugin_name = "text"
        strings = self._tensor(dtype=_DT_STRING, string_val=[text.encode()])
        value.tensor.CopyFrom(strings)
        self._write(step, summary)

    def close(self) -> None:
        """Does nothing: every record is written completely when it is made."""

    def _write(self, step: int, summary: Any) -> None:
        if self._path is None:
            self._path = self._create()
        event = self._event(wall_time=time.time(), step=step, summary=summary)
        _append(self._path, event)

    def _create(self) -> pathlib.Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard looks for this prefix; process and time make the name unique.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        path = self._folder / f"{name}.{os.getpid()}.{time.monotonic_ns()}"
        version = self._event(wall_time=time.time(), file_version="brain.Event:2")
        _append(path, version)
        return path


def _append(path: pathlib.Path, event: Any) -> None:
    """Appends a record completely or not at all: readers stop at a partial one.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    size = path.stat().st_size if path.exists() else 0
    try:
        with open(path, "ab") as file:
            write_record(file, event.SerializeToString())
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise
