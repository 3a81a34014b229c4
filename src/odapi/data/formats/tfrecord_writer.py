"""Writes TFRecord files of tf.Example, optionally in shards."""

import contextlib
import pathlib
from collections.abc import Iterable

from odapi.data.formats.record_chunks import make_records
from odapi.data.formats.writer import Written
from odapi.data.sources.base import BaseSource
from odapi.data.sources.tfrecord import TFRecordSource
from odapi.data.tfrecord.records import write_record
from odapi.errors import DataError
from odapi.files import atomic_open

Path = pathlib.Path


def write_tfrecord(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    shards: int = 1,
    workers: int = 1,
) -> Written:
    """Writes samples as TFRecord files: masks as PNG, images unchanged.

    The files are the same for any number of workers.

    Args:
        source: The dataset.
        path: The file; with shards, the part before `-00000-of-00010`.
        indices: The samples to write.
        shards: Number of files; images are distributed round-robin.
        workers: Maximum number of processes that make records.

    Returns:
        Counts of what was written; with shards, its `path` is a glob.
    """
    written = Written(shard_glob(path, shards), stores_channels=True)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(atomic_open(p)) for p in shard_paths(path, shards)]
        for record, sample in make_records(source, indices, workers):
            write_record(files[written.count % shards], record)
            written.lose(sample, ("confidences",))
            written.count += 1
            written.objects += len(sample["boxes"])
    return written


def write_records_of(
    source: TFRecordSource, path: Path, indices: Iterable[int], shards: int = 1
) -> Written:
    """Copies records of a source byte for byte."""
    written = Written(shard_glob(path, shards), stores_channels=True)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(atomic_open(p)) for p in shard_paths(path, shards)]
        for index in indices:
            write_record(files[written.count % shards], source.record(index))
            written.objects += len(source.raw(index).objects["boxes"])
            written.count += 1
    return written


def shard_paths(path: Path, shards: int) -> list[Path]:
    """Returns the paths of the shards, named as by the TF Object Detection API."""
    if shards < 1:
        raise DataError(str(path), f"needs at least one shard, got {shards}")
    if shards == 1:
        return [path]
    return [
        path.with_name(f"{path.name}-{i:05d}-of-{shards:05d}") for i in range(shards)
    ]


def shard_glob(path: Path, shards: int) -> Path:
    """Returns a glob that matches all shards."""
    if shards == 1:
        return path
    return path.with_name(f"{path.name}-?????-of-{shards:05d}")
