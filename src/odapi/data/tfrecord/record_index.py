"""Index of a TFRecord file: positions and contents of its records.

Our own code: no library gives random access to existing TFRecord files.

A record is a tf.Example, or a tf.SequenceExample with several frames, each of which
has an entry in the index. The index is built once, verifying every checksum, and
stored beside the file as a hidden file, or in the user's cache if that folder is not
writable. A compressed file has no random access; it is unpacked into the user's
cache once.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import tempfile
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from odapi.data.tfrecord import sequence_example
from odapi.data.tfrecord.example import Example, parse_example, read_example
from odapi.data.tfrecord.feature_values import ExampleError
from odapi.data.tfrecord.records import is_record_file, read_record, scan_records
from odapi.errors import DataError
from odapi.files import atomic_open, refuse_lfs_pointer

Path = pathlib.Path

_VERSION = 4  # Of the stored format; increase it when the format changes.
_CHUNK = 1 << 20


@dataclasses.dataclass
class RecordIndex:
    """Index of the valid records of a file.

    Args:
        path: The uncompressed file that records are read from.
        name: Name of the file as given by the user.
        offsets, lengths: `[n]` int64, bytes.
        ids: Image id of each record, "" if missing.
        classes: (class id, class name, objects, image id of the first).
        keys: Optional fields that any record has.
        num_keypoints: Maximum number of keypoints of an object.
        keypoint_names: (class id, class name, names of its keypoints in the order of
            their occurrence).
        damage: (kind of problem, place).
        frames: `[n]` frame numbers; empty if the records are tf.Examples.
    """

    path: Path
    name: str
    offsets: np.ndarray
    lengths: np.ndarray
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
            ExampleError: The file has changed.
        """
        data = self.read(position)
        if not self.frames:
            return parse_example(data)
        sequence = sequence_example.parse_sequence(data)
        frame = sequence_example.frame_example(sequence, self.frames[position])
        return frame.features.feature

    def read(self, position: int) -> bytes:
        """Returns the data of a record; for a sequence, of all its frames."""
        offset, length = self.offsets[position], self.lengths[position]
        try:
            return read_record(self.path, int(offset), int(length))
        except OSError as error:
            raise DataError(str(self.path), f"cannot be read: {error}") from error


def index_of(file: Path, sequences: bool = False) -> RecordIndex:
    """Returns the index of a file: the stored one if it is current, else a new one.

    Args:
        file: The TFRecord file.
        sequences: Whether records are tf.SequenceExamples.

    Raises:
        DataError: The file is not a TFRecord file.
    """
    stamp = _stamp(file)
    places = _places(file, "sequences" if sequences else "index")
    for place in places:
        stored = _load(place, stamp)
        if stored is not None and stored.path.exists():
            return stored
    index = _build(file, stamp, sequences)
    for place in places:
        if _save(place, index, stamp):
            break
    return index


def cache_folder() -> Path:
    """Returns the cache folder: ODAPI_CACHE, or that of the user."""
    given = os.environ.get("ODAPI_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "odapi"


def _stamp(file: Path) -> list[int]:
    try:
        status = file.stat()
    except OSError as error:
        raise DataError(str(file), f"cannot be read: {error.strerror}") from error
    return [_VERSION, status.st_size, status.st_mtime_ns]


def _places(file: Path, kind: str) -> list[Path]:
    """Returns the possible paths of the index; hidden, so that no glob matches it."""
    cached = cache_folder() / "records" / f"{_key(file)}.{kind}.npz"
    return [file.with_name(f".{file.name}.{kind}.npz"), cached]


def _key(file: Path, *more: Any) -> str:
    name = json.dumps([str(file.resolve()), *more])
    return f"{hashlib.sha256(name.encode()).hexdigest()[:16]}-{file.name}"


def _load(place: Path, stamp: list[int]) -> RecordIndex | None:
    try:
        with open(place, "rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if about.pop("stamp") != stamp:
                return None  # The file has changed.
            return RecordIndex(
                path=Path(about.pop("path")),
                offsets=stored["offsets"],
                lengths=stored["lengths"],
                classes=[tuple(c) for c in about.pop("classes")],
                keypoint_names=[tuple(n) for n in about.pop("keypoint_names")],
                damage=[tuple(d) for d in about.pop("damage")],
                **about,
            )
    except (OSError, ValueError, LookupError, TypeError, EOFError):
        return None  # Missing or damaged: it is rebuilt.
    except (zipfile.BadZipFile, zlib.error):
        return None


def _save(place: Path, index: RecordIndex, stamp: list[int]) -> bool:
    """Writes the index atomically; returns whether it could be written."""
    about = dataclasses.asdict(index) | {"stamp": stamp, "path": str(index.path)}
    offsets, lengths = about.pop("offsets"), about.pop("lengths")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # Root can write anywhere, but a read-only folder is respected.
        if not place.parent.stat().st_mode & 0o222:
            return False
        with atomic_open(place) as file:
            np.savez(
                file,
                offsets=offsets,
                lengths=lengths,
                about=np.array(json.dumps(about)),
            )
    except OSError:
        return False
    return True


def _build(file: Path, stamp: list[int], sequences: bool) -> RecordIndex:
    path, damage = _uncompressed(file, stamp)
    records = scan_records(path)
    damage += records.damage
    if not len(records) and path.stat().st_size:
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
        data = read_record(path, int(records.offsets[i]), int(records.lengths[i]))
        try:
            kept += [i] * add(data, int(number))
        except ExampleError as error:
            damage.append(("corrupt record", f"record {number}, {error}"))
    damage += summary.damage
    return RecordIndex(
        path=path,
        name=str(file),
        offsets=records.offsets[kept],
        lengths=records.lengths[kept],
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


def _uncompressed(file: Path, stamp: list[int]) -> tuple[Path, list[tuple[str, str]]]:
    """Returns an uncompressed file, and the damage found while unpacking."""
    with open(file, "rb") as source:
        start = source.read(12)
    # A length of 35 615 bytes looks like gzip; the checksum disambiguates.
    if not _is_compressed(start) or is_record_file(start):
        return file, []
    place = cache_folder() / "records" / f"{_key(file, *stamp)}.records"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        place = Path(tempfile.mkdtemp(prefix="odapi-")) / place.name
    with atomic_open(place) as target, open(file, "rb") as source:
        complete = _inflate(source, target)
    lost = [] if complete else [("truncated record", "the compressed file is damaged")]
    return place, lost


def _is_compressed(start: bytes) -> bool:
    is_zlib = (
        len(start) > 1 and start[0] == 0x78 and (start[0] << 8 | start[1]) % 31 == 0
    )
    return start.startswith(b"\x1f\x8b") or is_zlib


def _inflate(source: IO[bytes], target: IO[bytes]) -> bool:
    """Unpacks gzip or zlib as far as possible; returns whether it was complete."""
    while True:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        while not member.eof:
            chunk = source.read(_CHUNK)
            if not chunk:
                return False
            try:
                target.write(member.decompress(chunk))
            except zlib.error:
                return False
        rest = member.unused_data
        source.seek(-len(rest), os.SEEK_CUR)
        if not source.read(1):
            return True
        source.seek(-1, os.SEEK_CUR)  # Gzip files may be concatenated.
