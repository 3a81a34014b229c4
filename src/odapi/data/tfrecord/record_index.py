"""Index of a TFRecord file: positions and contents of its records."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from odapi.data.tfrecord import sequence_example
from odapi.data.tfrecord.example import parse_example
from odapi.data.tfrecord.records import UNCHANGED, masked_crc32c, read_record
from odapi.errors import DataError


@dataclasses.dataclass
class RecordIndex:
    """Index of the valid records of a file.

    Args:
        path: The uncompressed file that records are read from; absolute.
        name: Name of the file as given by the user.
        offsets, lengths: `[n]` int64, bytes.
        checksums: `[n]` uint32, of the data of each record.
        ids: Image id of each record, "" if missing.
        classes: (class id, class name, objects, image id of the first).
        keys: Optional fields that any record has.
        num_keypoints: Maximum number of keypoints of an object.
        keypoint_names: (class id, class name, names of its keypoints in the order of
            their occurrence).
        damage: (kind of problem, place).
        frames: `[n]` frame numbers; empty if the records are tf.Examples.
    """

    path: pathlib.Path
    name: str
    offsets: np.ndarray
    lengths: np.ndarray
    checksums: np.ndarray
    ids: list[str]
    classes: list[tuple[int, str, int, str]]
    keys: list[str]
    num_keypoints: int
    keypoint_names: list[tuple[int, str, list[str]]]
    damage: list[tuple[str, str]]
    frames: list[int] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.offsets)

    def features(self, position: int) -> Any:
        """Returns the features of an image, by name.

        Raises:
            DataError: The file cannot be read, or has changed since it was indexed.
            ExampleError: The record is not an example.
        """
        data = self.read(position)
        if not self.frames:
            return parse_example(data)
        sequence = sequence_example.parse_sequence(data)
        frame = sequence_example.frame_example(sequence, self.frames[position])
        return frame.features.feature

    def read(self, position: int) -> bytes:
        """Returns the data of a record; for a sequence, of all its frames.

        Raises:
            DataError: The file cannot be read, or has changed since it was indexed.
        """
        offset = int(self.offsets[position])
        try:
            data = read_record(self.path, offset, int(self.lengths[position]))
        except OSError as error:
            raise DataError(self.name, f"cannot be read: {error.strerror}") from error
        if masked_crc32c(data) != self.checksums[position]:
            raise DataError(
                self.name,
                f"has changed since it was opened: the record at byte {offset} is "
                "another one",
                hint=UNCHANGED,
            )
        return data
