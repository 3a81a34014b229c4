"""TFRecord files of tf.Example or tf.SequenceExample, with random access."""

import bisect
import concurrent.futures
import itertools
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from odapi.data.keypoint_slots import KeypointSlots, placed
from odapi.data.problems import Problems
from odapi.data.sample import keep_objects
from odapi.data.sources.base import BaseSource, Raw
from odapi.data.sources.classes import UNKNOWN, ClassIndex
from odapi.data.sources.files import unique_id
from odapi.data.sources.record_classes import (
    is_numbered_from_0,
    label_map_of_records,
)
from odapi.data.tfrecord.example import (
    Example,
    additional_images,
    encoded_image,
    read_example,
)
from odapi.data.tfrecord.indexing import index_of
from odapi.data.tfrecord.record_index import RecordIndex
from odapi.data.tfrecord.sequence_example import frame_example, parse_sequence
from odapi.data.tfrecord.shards import missing_shards
from odapi.errors import DataError
from odapi.fields import (
    ABSENT_CLASSES,
    FIELDS,
    LABELED_CLASSES,
    NOT_EXHAUSTIVE,
    per_keypoint,
)
from odapi.files import matching_paths
from odapi.labels import Category, LabelMap
from odapi.progress import track_bytes

Path = pathlib.Path


def open_tfrecord(
    paths: str | Path | Sequence[str | Path],
    label_map: LabelMap | None = None,
    drop_unknown: bool = False,
    load_masks: bool = True,
    sequences: bool = False,
) -> "TFRecordSource":
    """Opens TFRecord files, uncompressed or compressed by gzip or zlib.

    Args:
        paths: A path or a glob such as `train-*-of-00010`, or several.
        label_map: The classes; names of objects take precedence over ids. None uses
            the names and ids in the records.
        drop_unknown: Whether to drop objects of classes that `label_map` lacks, instead
            of raising an error.
        load_masks: Whether samples get masks.
        sequences: Whether records are tf.SequenceExamples; each annotated frame is
            a sample.

    Returns:
        The source; records in the order of the sorted files.

    Raises:
        DataError: A file does not exist or is not a TFRecord file, or a class is
            unknown.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files = find_files(given)
    name = ", ".join(str(p) for p in given)
    workers = min(len(files), os.cpu_count() or 1)
    with (
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
        track_bytes() as show,
    ):
        shares = _Shares(files, show)
        made = pool.map(lambda f: index_of(f, sequences, shares.of(f)), files)
        indices = list(made)
    source = TFRecordSource(name, indices, label_map, drop_unknown, load_masks)
    for missing in missing_shards(given, files):
        source.problems.found("missing shard", missing)
    return source


class _Shares:
    """Shows how much of several files is indexed, as one bar."""

    def __init__(self, files: Sequence[Path], show: Callable[[str, int, int], None]):
        self._sizes = {file: os.path.getsize(file) for file in files}
        self._done = dict.fromkeys(files, 0)
        self._show = show

    def of(self, file: Path) -> Callable[[float], None]:
        """Returns the function that takes the share of a file that is done."""

        def update(share: float) -> None:
            self._done[file] = int(share * self._sizes[file])
            done, total = sum(self._done.values()), sum(self._sizes.values())
            self._show("indexing records", done, total)

        return update


def find_files(paths: Sequence[str | Path]) -> list[Path]:
    """Returns the files that paths and globs match, sorted and unique.

    Raises:
        DataError: A path matches no file.
    """
    files: list[Path] = []
    for path in map(os.path.expanduser, paths):
        if os.path.isdir(path):
            path = os.path.join(path, "*record*")
        found = [Path(path)] if os.path.isfile(path) else _globbed(str(path))
        if not found:
            folder = Path(path).parent
            there = ", ".join(p.name for p in sorted(folder.glob("[!.]*"))[:8])
            raise DataError(
                str(path),
                "no such file"
                + (
                    f"; {folder} has {there or 'no files'}"
                    if folder.is_dir()
                    else f"; there is no folder {folder}"
                ),
                hint="relative paths start at the current folder",
            )
        files += found
    return list(dict.fromkeys(files))


def _globbed(pattern: str) -> list[Path]:
    return [Path(p) for p in sorted(matching_paths(pattern)) if os.path.isfile(p)]


class TFRecordSource(BaseSource):
    """The samples of TFRecord files. Use `open_tfrecord`."""

    def __init__(
        self,
        name: str,
        indices: Sequence[RecordIndex],
        label_map: LabelMap | None,
        drop_unknown: bool,
        load_masks: bool,
    ):
        problems = Problems()
        for kind, where in itertools.chain(*(i.damage for i in indices)):
            problems.found(kind, where)
        if label_map is None:
            label_map = label_map_of_records(indices, name, problems)
        elif is_numbered_from_0(indices, label_map):
            problems.found("class id 0", name)
        super().__init__(
            name,
            label_map,
            problems,
            set(itertools.chain(*(i.keys for i in indices)))
            - (set() if load_masks else {"masks"}),
            max((i.num_keypoints for i in indices), default=0),
        )
        self._indices = indices
        self._ends = list(itertools.accumulate(len(i) for i in indices))
        self._shift = int(problems.count("class id 0") > 0)
        self._drop_unknown = drop_unknown
        self._places: KeypointSlots | None = None
        taken: set[str] = set()
        self._ids = [unique_id(n, taken, problems) for i in indices for n in i.ids]
        if not self._ids:
            problems.found("empty dataset", name)
            damage = next((w for i in indices for _, w in i.damage), "")
            first = f"; the first problem: {damage}" if damage else ""
            raise DataError(name, f"has no usable record{first}")
        self._check_classes()
        # Keypoints are matched by name, as classes are.
        if label_map.num_keypoints and any(i.keypoint_names for i in indices):
            self.find_keypoints_by_name()

    def find_keypoints_by_name(self) -> None:
        """Assigns keypoints to slots by their names in the label map.

        Raises:
            DataError: No class of the label map has keypoints.
        """
        places = KeypointSlots(self.label_map, self.problems)
        if not places.total:
            raise DataError(
                self.label_map.source,
                "no class has keypoints, which use_keypoint_label_map needs",
                hint="add keypoints { id: 0 label: 'nose' } to an item",
            )
        self._places, self.num_keypoints = places, places.total

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in order."""
        return list(self._ids)

    def record(self, index: int) -> bytes:
        """Returns the serialized tf.Example; for a sequence, that of the frame."""
        file, position = self._place(index)
        data = self._indices[file].read(position)
        if not self._indices[file].frames:
            return data
        frame = self._indices[file].frames[position]
        return frame_example(parse_sequence(data), frame).SerializeToString()

    @property
    def frames(self) -> list[int]:
        """The frame number of each sample in its sequence; empty for tf.Examples."""
        return list(itertools.chain(*(i.frames for i in self._indices)))

    def _place(self, index: int) -> tuple[int, int]:
        file = bisect.bisect_right(self._ends, index)
        return file, index - (self._ends[file - 1] if file else 0)

    def raw(self, index: int) -> Raw:
        """Returns the annotations as stored in the record."""
        return self.load(index)[0]

    def encoded(self, index: int) -> bytes:
        """Returns the encoded image in the record."""
        return self.load(index)[1]

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the encoded image of a record."""
        try:
            file, position = self._place(index)
            features = self._indices[file].features(position)
            example = read_example(features)
        except DataError:
            raise
        except ValueError as error:  # The file has changed since it was indexed.
            raise DataError(self._ids[index], str(error)) from error
        raw = self._raw(example, self._ids[index])
        raw.additional = additional_images(features)
        return raw, encoded_image(features)

    def _raw(self, example: Example, image_id: str) -> Raw:
        classes = ClassIndex(
            self.label_map, self.name, self.problems, self._drop_unknown
        )
        found = [
            self._class(classes, name, int(number), f"{image_id}, object {i}")
            for i, (name, number) in enumerate(
                zip(example.names, example.ids, strict=True), 1
            )
        ]
        objects = example.objects | {"classes": np.array(found, np.int32)}
        for kind, fault in example.faults:
            self.problems.found(kind, f"{image_id}: {fault}")
        if self._places and "keypoints" in objects:
            names = example.keypoint_names
            # Without names, keypoints may be in their slots already.
            if names or objects["keypoints"].shape[1] != self.num_keypoints:
                objects = self._placed(self._places, objects, names, image_id)
        objects |= self._labeled(example, objects["classes"])
        mask_of = example.mask_of
        keep = objects["classes"] != UNKNOWN
        if not keep.all():
            objects = keep_objects(objects, keep)
            if mask_of:
                mask_of = [m for m, kept in zip(mask_of, keep, strict=True) if kept]
        if "keypoints" in objects:
            _pad_keypoints(objects, self.num_keypoints)
        return Raw(
            image_id=image_id,
            filename=example.filename,
            size=example.size,
            objects=objects,
            in_pixels=False,
            mask_of=mask_of,
            context=example.context,
        )

    def _placed(
        self,
        places: KeypointSlots,
        objects: dict[str, np.ndarray],
        names: list[list[str]],
        image_id: str,
    ) -> dict[str, np.ndarray]:
        rows, columns, _ = objects["keypoints"].shape
        found = [
            places.of_object(
                int(index),
                names[n] if names else [],
                columns,
                f"{image_id}, object {n + 1}",
            )
            for n, index in enumerate(objects["classes"])
        ]
        array = np.array(found, np.int32).reshape(rows, columns)
        return placed(objects, array, self.num_keypoints)

    def _labeled(self, example: Example, found: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the labeled classes, including all that are present, if known."""
        keys = {
            LABELED_CLASSES: example.labeled_classes,
            ABSENT_CLASSES: example.absent_classes,
            NOT_EXHAUSTIVE: example.not_exhaustive,
        }
        known: dict[str, np.ndarray] = {}
        for name, given in keys.items():
            named = [c.index for k in given if (c := self._labeled_class(k))]
            also = found.tolist() if name == LABELED_CLASSES else []
            indices = np.array(sorted({*named, *also} - {UNKNOWN}), np.int32)
            known |= {name: indices} if given else {}
        return known

    def _labeled_class(self, key: str | int) -> Category | None:
        if isinstance(key, str):
            return self.label_map.by_name.get(key)
        return self.label_map.of_data_id(int(key))

    def _class(self, classes: ClassIndex, name: str, number: int, where: str) -> int:
        if name:
            return classes.of_name(name, where)
        if number < 0:
            self.problems.found("object without class", where)
            return UNKNOWN
        return classes.of_id(number + self._shift, where, shown=f"id {number}")

    def _check_classes(self) -> None:
        """Raises an error for unknown classes before training, by the index."""
        classes = ClassIndex(self.label_map, self.name, Problems(), self._drop_unknown)
        for index in self._indices:
            for number, name, count, first in index.classes:
                if name:
                    classes.of_name(name, first, count)
                elif number >= 0:
                    found = number + self._shift
                    classes.of_id(found, first, count, f"id {number}")
        classes.check()


def _pad_keypoints(objects: dict[str, np.ndarray], count: int) -> None:
    missing = count - objects["keypoints"].shape[1]
    for key in objects.keys() & set(per_keypoint()) if missing else ():
        pad = ((0, 0), (0, missing), (0, 0))[: objects[key].ndim]
        value = FIELDS[key].missing
        objects[key] = np.pad(objects[key], pad, constant_values=value)
