"""Predicts the images of one shard and writes its files; the work of a Beam worker."""

import contextlib
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator
from typing import IO, Any

from odapi.data.image.header import read_header
from odapi.data.read_ahead import read_ahead
from odapi.data.sources.tfrecord import TFRecordSource
from odapi.data.tfrecord.records import write_record
from odapi.errors import CheckpointError, DataError
from odapi.files import atomic_open, read_image_file, read_json_object, write_json
from odapi.inference.image_files import ReadImage, read_image
from odapi.inference.images import Images
from odapi.inference.prediction import Prediction
from odapi.inference.predictions import json_of
from odapi.inference.predictor import channels_of
from odapi.inference.stream import PredictionStream
from odapi.tools import records
from odapi.tools.detection_records import (
    ENCODED,
    add_detections,
    drop_pixels,
    image_example,
    serialized,
)
from odapi.tools.image_list import FILE, Entry, Part, open_images, read_part
from odapi.tools.prediction_job import JSON_LINES, TFRECORD, Job
from odapi.tools.worker_model import loaded_model

REPORTS = "shards"
_THREADS = 4


class ShardError(RuntimeError):
    """A shard cannot be computed; Beam makes another of its message alone."""


@dataclasses.dataclass(frozen=True)
class PredictShard:
    """Predicts one shard; picklable. The model is loaded once per process.

    Args:
        job: Model, images, options and output.
    """

    job: Job

    def __call__(self, part: Part) -> list[int]:
        """Writes the files of a shard, its report last, and returns its number.

        Raises:
            CheckpointError: The model of this worker is another one.
            ShardError: Anything else; it names the shard and its images.
        """
        try:
            self._write(part)
        except CheckpointError:
            raise
        except Exception as error:
            raise ShardError(
                f"shard {part.shard}, images {part.first + 1} to "
                f"{part.first + part.size} of {self.job.output}/{FILE}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return [part.shard]

    def _write(self, part: Part) -> None:
        job, entries = self.job, read_part(self.job.output, part)
        model = loaded_model(job)
        reader = _Reader(job, part, entries, channels_of(model.predictor))
        stream = PredictionStream(
            Images(reader.rows(), len(entries), {}),
            model,
            model.predictor.label_map,
            job.selection,
            model.batch_size,
        )
        with contextlib.ExitStack() as stack:
            writers = [stack.enter_context(w) for w in _writers(job, part, reader)]
            objects = 0
            for found, entry in _named(stream, reader, len(entries)):
                objects += len(found)
                for writer in writers:
                    writer.add(found, entry)
        skipped = [
            [*entries[int(key)], reason] for key, reason in stream.skipped.items()
        ]
        report = {
            "images": stream.count,
            "objects": objects,
            "best_score": round(stream.best_score, 4),
            "skipped": skipped,
            "files": {w.path.name: w.path.stat().st_size for w in writers},
        }
        write_json(report_path(job.output, part, job.shards), report, None, True)


def report_path(
    output: str | os.PathLike[str], part: Part, shards: int
) -> pathlib.Path:
    """Returns the file that appears when a shard is complete."""
    return pathlib.Path(output) / REPORTS / f"{part.shard:05d}-of-{shards:05d}.json"


def finished_report(
    output: str | os.PathLike[str], part: Part, shards: int
) -> dict[str, Any] | None:
    """Returns the report of a shard; None if it or one of its files is missing."""
    report = read_json_object(report_path(output, part, shards))
    files = report.get("files")
    if not isinstance(files, dict) or "images" not in report:
        return None
    for name, size in files.items():
        with contextlib.suppress(OSError):
            if (pathlib.Path(output) / name).stat().st_size == size:
                continue
        return None
    return report


class _Reader:
    """Reads the images of a shard in threads; rows are named by their position."""

    def __init__(self, job: Job, part: Part, entries: list[Entry], channels: int):
        self._job, self._part, self._channels = job, part, channels
        self._entries = entries
        self._source: Any = None
        if job.spec:
            source = open_images(job.spec)
            source.num_channels = channels
            self._source = source
        self._names: dict[int, str] = {}

    def rows(self) -> Iterator[ReadImage]:
        return read_ahead(self._read, range(len(self._entries)), _THREADS)

    def entry(self, position: int) -> Entry:
        """Returns id and name of an image; in a dataset, the name is known by now."""
        entry = self._entries[position]
        return entry._replace(name=self._names.get(position, entry.name))

    def example(self, found: Prediction, entry: Entry, position: int) -> Any:
        """Returns the tf.Example of an image, without detections."""
        pixels = self._job.options.image_pixels
        index = self._part.first + position
        if isinstance(self._source, TFRecordSource):
            example = records.parse(self._source.record(index))
            if not pixels:
                drop_pixels(example)
            return example
        example = image_example(found, entry.id, entry.name)
        if pixels:
            data = (
                self._source.encoded(index)
                if self._source is not None
                else read_image_file(self._path(position))
            )
            records.put(example, ENCODED, [data], bytes)
            kind = read_header(data).format or "jpeg"
            records.put(example, "image/format", [kind], bytes)
        return example

    def _path(self, position: int) -> pathlib.Path:
        return pathlib.Path(self._job.root) / self._entries[position].name

    def _read(self, position: int) -> ReadImage:
        key = pathlib.Path(str(position))
        if self._source is None:
            row = read_image(self._path(position), self._channels)
            return row._replace(path=key)
        index = self._part.first + position
        try:
            sample = self._source[index]
        except DataError as error:
            return ReadImage(key, None, error.problem)
        path = self._source.image_path(index)
        self._names[position] = str(path or sample.get("filename", ""))
        return ReadImage(key, sample["image"])


def _named(
    stream: PredictionStream, reader: _Reader, total: int
) -> Iterator[tuple[Prediction, Entry]]:
    """Yields predictions with the names of their images; all may be unreadable."""
    predictions = iter(stream)
    while True:
        try:
            found = next(predictions)
        except StopIteration:
            return
        except DataError:
            if len(stream.skipped) < total:
                raise
            return  # A shard of unreadable images only is complete.
        position = int(str(found.path))
        yield found, reader.entry(position)


def _writers(job: Job, part: Part, reader: _Reader) -> list["_Writer"]:
    name = f"detections-{part.shard:05d}-of-{job.shards:05d}"
    made: list[_Writer] = []
    for kind, writer in ((JSON_LINES, _JsonLines), (TFRECORD, _Examples)):
        if kind in job.options.formats:
            path = pathlib.Path(job.output) / f"{name}.{kind}"
            made.append(writer(path, reader))
    return made


class _Writer:
    """Writes a file that appears under its name when it is complete."""

    def __init__(self, path: pathlib.Path, reader: _Reader):
        self.path = path
        self._reader = reader
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "_Writer":
        self._file: IO[Any] = self._open.enter_context(
            atomic_open(self.path, "wb", durable=True)
        )
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def add(self, found: Prediction, entry: Entry) -> None:
        raise NotImplementedError


class _JsonLines(_Writer):
    """One line per image, as an entry of `odapi predict --json`."""

    def add(self, found: Prediction, entry: Entry) -> None:
        path = pathlib.Path(entry.name) if entry.name else None
        named = dataclasses.replace(found, image_id=entry.id, path=path, pixels=None)
        self._file.write(json.dumps(json_of(named)).encode() + b"\n")


class _Examples(_Writer):
    """One tf.Example per image."""

    def add(self, found: Prediction, entry: Entry) -> None:
        position = int(str(found.path))
        example = self._reader.example(found, entry, position)
        add_detections(example, found)
        write_record(self._file, serialized(example))
