"""Converts a dataset of any format to TFRecord shards, each written by one worker."""

import contextlib
import copy
import functools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from odapi.config.label_map import load_label_map, place_label_map
from odapi.data.formats.record_chunks import make_record
from odapi.data.problems import Problems
from odapi.data.sources.base import BaseSource
from odapi.data.sources.open import open_source
from odapi.data.tfrecord.records import write_record
from odapi.errors import DataError
from odapi.files import atomic_open
from odapi.labels import LabelMap
from odapi.outputs.file import check_new_shards
from odapi.tools.beam import READ, SKIPPED, WRITTEN, Records, Step, count

_IMAGES_PER_SHARD = 1000
_UNREADABLE = "corrupt image"  # Counted as skipped instead.


def convert_dataset(
    spec: str,
    output: str,
    shards: int = 0,
    label_map: str = "",
    beam_arguments: Sequence[str] = (),
) -> dict[str, int]:
    """Writes a dataset as `OUTPUT-00000-of-0000N`, as `odapi data convert` does.

    Each worker opens the dataset and writes whole shards.

    Args:
        spec: The dataset, such as `coco:FILE.json?images=DIR`.
        output: Prefix of the files; a label map is written beside them.
        shards: Number of files; 0 means one per 1000 images.
        label_map: Path of a label map; "" takes the classes of the dataset.
        beam_arguments: Beam options, for example `["--runner=FlinkRunner"]`.

    Returns:
        Numbers of images that were read, written and skipped, and of problems.

    Raises:
        DataError: The dataset or the label map cannot be used.
        OutputError: There are such files already.
        MissingPackageError: Apache Beam is not installed.
    """
    if shards < 0:
        raise DataError("num_shards", f"must be 0 or more: {shards}")
    check_new_shards(output)
    work = Records(beam_arguments)
    source = open_source(spec, load_label_map(label_map) if label_map else None)
    shards = shards or -(-len(source) // _IMAGES_PER_SHARD)
    if "://" not in output:
        folder = pathlib.Path(os.path.expanduser(output)).parent
        folder.mkdir(parents=True, exist_ok=True)
        place_label_map(source.label_map, folder)
    step = Step(WriteShard(spec, source.label_map, output, shards), many=True)
    work.apply(work.spread(range(shards)), "write shards", step)
    return dict(sorted((work.run() | _numbers(source.problems)).items()))


class WriteShard:
    """Writes one shard of a dataset; a picklable function of its number.

    A shard has every `shards`-th image, as `odapi data convert` distributes them if no
    image is skipped.

    Args:
        spec: The dataset.
        label_map: The classes.
        output: Prefix of the files.
        shards: Number of files.
    """

    def __init__(self, spec: str, label_map: LabelMap, output: str, shards: int):
        self.spec = spec
        self.label_map = label_map
        self.output = output
        self.shards = shards

    def __call__(self, shard: int) -> list[str]:
        """Writes the shard and returns its path; counts images and problems."""
        source = copy.copy(_open(self.spec, self.label_map))
        source.problems = Problems()
        path = f"{self.output}-{shard:05d}-of-{self.shards:05d}"
        with _opened(path) as file:
            for index in range(shard, len(source), self.shards):
                count(READ)
                made = make_record(source, index)
                if made is None:
                    count(f"{SKIPPED}: {_UNREADABLE}")
                    continue
                write_record(file, made[0])
                count(WRITTEN)
        for name, number in _numbers(source.problems).items():
            count(name, number)
        return [path]


@functools.lru_cache(maxsize=1)
def _open(spec: str, label_map: LabelMap) -> BaseSource:
    """Opens a dataset once per process."""
    return open_source(spec, label_map)


def _numbers(problems: Problems) -> dict[str, int]:
    return {
        f"{p.outcome}: {p.kind}": p.count for p in problems if p.kind != _UNREADABLE
    }


def _opened(path: str) -> contextlib.AbstractContextManager[Any]:
    if "://" not in path:
        return atomic_open(os.path.expanduser(path))
    from apache_beam.io.filesystems import FileSystems

    return contextlib.closing(FileSystems.create(path))
