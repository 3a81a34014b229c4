"""TensorBoard event files, with the tags of the TF Object Detection API.

They are written by the package tensorboard, without TensorFlow.
"""

import os
import pathlib
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from odapi.data.tfrecord.records import write_record
from odapi.draw.file import encode_image
from odapi.errors import MissingPackageError

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
        self._file: BinaryIO | None = None

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
        block = "\n".join(f"    {line}" for line in text.splitlines())  # Markdown.
        summary = self._summary()
        value = summary.value.add(tag=tag)
        value.metadata.plugin_data.plugin_name = "text"
        strings = self._tensor(dtype=_DT_STRING, string_val=[block.encode()])
        value.tensor.CopyFrom(strings)
        self._write(0, summary)

    def close(self) -> None:
        """Closes the file if it was created."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, step: int, summary: Any) -> None:
        if self._file is None:
            self._file = self._open()
        event = self._event(wall_time=time.time(), step=step, summary=summary)
        write_record(self._file, event.SerializeToString())
        self._file.flush()

    def _open(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard looks for this prefix; process and time make the name unique.
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        path = self._folder / f"{name}.{os.getpid()}.{time.monotonic_ns()}"
        file = open(path, "wb")
        version = self._event(wall_time=time.time(), file_version="brain.Event:2")
        write_record(file, version.SerializeToString())
        return file
