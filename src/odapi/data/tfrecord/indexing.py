"""Indexing of a TFRecord file, once: positions and contents of its records.

Our own code: no library gives random access to existing TFRecord files.

A record is a tf.Example, or a tf.SequenceExample with several frames, each of which
has an entry in the index. The index is built once, verifying every checksum, and
stored beside the file as a hidden file, or in the user's cache if that folder is not
writable. A compressed file has no random access; it is unpacked into the user's
cache once.
"""

import pathlib
from collections.abc import Callable

from odapi.data.tfrecord import sequence_example
from odapi.data.tfrecord.example import Example, parse_example, read_example
from odapi.data.tfrecord.feature_values import ExampleError
from odapi.data.tfrecord.record_index import RecordIndex
from odapi.data.tfrecord.records import read_record, scan_records
from odapi.data.tfrecord.stored_index import Stamp, load_index, save_index, stamp_of
from odapi.data.tfrecord.unpacked import cached_path, is_compressed, unpack
from odapi.errors import DataError
from odapi.files import refuse_lfs_pointer

Path = pathlib.Path

Progress = Callable[[float], None]  # Called with the share of a file that is done.


def index_of(
    file: Path,
    sequences: bool = False,
    progress: Progress = lambda done: None,
) -> RecordIndex:
    """Returns the index of a file: the stored one if it is current, else a new one.

    Args:
        file: The TFRecord file.
        sequences: Whether records are tf.SequenceExamples.
        progress: Called while a new one is made, with the share that is done.

    Raises:
        DataError: The file is not a TFRecord file, or cannot be read or unpacked.
    """
    stamp = stamp_of(file)
    try:
        data = _data_path(file, stamp)
        places = _places(file, "sequences" if sequences else "index")
        for place in places:
            stored = load_index(place, file, data, stamp)
            if stored is not None:
                return stored
        index = _build(file, data, sequences, progress)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise DataError(error.filename or str(file), reason) from error
    for place in places:
        if save_index(place, index, stamp):
            break
    return index


def _data_path(file: Path, stamp: Stamp) -> Path:
    """Returns the path of the uncompressed file; absolute, folders may change."""
    if not is_compressed(file):
        return file.absolute()
    return cached_path(file, ".records", *stamp.content, *stamp.identity)


def _places(file: Path, kind: str) -> list[Path]:
    """Returns the possible paths of the index; hidden, so that no glob matches it."""
    return [file.with_name(f".{file.name}.{kind}"), cached_path(file, f".{kind}")]


def _build(file: Path, data: Path, sequences: bool, progress: Progress) -> RecordIndex:
    damage: list[tuple[str, str]] = []
    start = 0.0
    if data != file.absolute():
        start, packed = 0.5, file.stat().st_size
        data, complete = unpack(file, data, lambda at: progress(start * at / packed))
        if not complete:
            damage.append(("truncated record", "the compressed file is damaged"))
    size = data.stat().st_size
    records = scan_records(data, lambda at: progress(start + (1 - start) * at / size))
    damage += records.damage
    if not len(records) and size:
        with open(file, "rb") as opened:
            refuse_lfs_pointer(opened.read(64), str(file))
        raise DataError(
            str(file),
            "is not a TFRecord file: it has no valid record",
            hint="other formats are read by coco:, voc:, yolo: and csv:",
        )
    summary = _Summary(file.name)
    kept, add = [], summary.add_sequence if sequences else summary.add
    for i, number in enumerate(records.numbers):
        record = read_record(data, int(records.offsets[i]), int(records.lengths[i]))
        try:
            kept += [i] * add(record, int(number))
        except ExampleError as error:
            damage.append(("corrupt record", f"record {number}, {error}"))
    damage += summary.damage
    return RecordIndex(
        path=data,
        name=str(file),
        offsets=records.offsets[kept],
        lengths=records.lengths[kept],
        checksums=records.checksums[kept],
        ids=summary.ids,
        classes=[(i, t, n, first) for (i, t), (n, first) in summary.classes.items()],
        keys=sorted(summary.keys),
        num_keypoints=summary.num_keypoints,
        keypoint_names=[(i, t, list(n)) for (i, t), n in summary.names.items()],
        damage=[(kind, f"{file.name}: {what}") for kind, what in damage],
        frames=summary.frames,
    )


class _Summary:
    """Collects the contents of the index from all records."""

    def __init__(self, file_name: str):
        self.file_name = file_name
        self.ids: list[str] = []
        self.classes: dict[tuple[int, str], tuple[int, str]] = {}
        self.keys: set[str] = set()
        self.num_keypoints = 0
        # Dicts keep the order of names.
        self.names: dict[tuple[int, str], dict[str, None]] = {}
        self.frames: list[int] = []
        self.damage: list[tuple[str, str]] = []

    def add(self, data: bytes, number: int) -> int:
        """Adds a record; returns 1, its number of images.

        Raises:
            ExampleError: It cannot be read.
        """
        features = parse_example(data)
        if "image/encoded" not in features:
            hint = sequence_example.keys_there(features)
            if sequence_example.is_sequence(data):
                hint = ": a tf.SequenceExample (input_type: TF_SEQUENCE_EXAMPLE)"
            raise ExampleError(f"no image/encoded{hint}")
        self._add(read_example(features), f"{self.file_name}:{number}")
        return 1

    def add_sequence(self, data: bytes, number: int) -> int:
        """Adds a record of frames; returns the number of annotated ones.

        Raises:
            ExampleError: It cannot be read; none of its frames is added.
        """
        sequence = sequence_example.parse_sequence(data)
        count = sequence_example.num_frames(sequence)
        good = [n for n in range(count) if sequence_example.is_annotated(sequence, n)]
        frames = (sequence_example.frame_example(sequence, n) for n in good)
        found = [read_example(frame.features.feature) for frame in frames]
        for frame, example in zip(good, found, strict=True):
            self._add(example, f"{self.file_name}:{number}:{frame}")
        self.frames += good
        self.damage += [
            ("frame without annotations", f"record {number}, frame {n}")
            for n in sorted(set(range(count)) - set(good))
        ]
        return len(good)

    def _add(self, example: Example, name: str) -> None:
        image_id = example.image_id or example.filename or name
        self.ids.append(image_id)
        self.keys |= example.objects.keys() - {"boxes"}
        self.keys |= example.context.keys()
        if example.mask_of:
            self.keys.add("masks")
        if "keypoints" in example.objects:
            points = example.objects["keypoints"].shape[1]
            self.num_keypoints = max(self.num_keypoints, points)
        for key in zip(example.ids.tolist(), example.names, strict=True):
            count, first = self.classes.get(key, (0, image_id))
            self.classes[key] = (count + 1, first)
        for i, row in enumerate(example.keypoint_names):
            key = (int(example.ids[i]), example.names[i])
            names = dict.fromkeys(name for name in row if name)
            if names:
                self.names.setdefault(key, {}).update(names)
