"""Memory banks: the embeddings of all images of one camera and time range.

Source: the original's dataset_tools/context_rcnn/add_context_to_examples.py.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from odapi.data import context_features as context
from odapi.data.image.shrink import shrunk_jpeg
from odapi.errors import DataError, unknown_choice
from odapi.tools import records
from odapi.tools.clips import clips

TIME_HORIZONS = ("year", "month", "week", "day", "hour", "minute")
KEYS = (records.LOCATION, records.SEQUENCE)
EXAMPLE, SEQUENCE_EXAMPLE = "tf_example", "tf_sequence_example"
_SCORE, _EMBEDDING = "image/embedding_score", "image/embedding"
# Index of the image's own row in the bank, by the original's name.
_OWN_ROW = "context_features_idx"


@dataclasses.dataclass(frozen=True)
class GroupKey:
    """Key of the images that share a memory bank. Picklable.

    Args:
        feature: `image/location` or `image/seq_id`.
        horizon: One of `TIME_HORIZONS`; "": any time.
        max_side: Maximum length of the longer side of images; 0: unchanged.
    """

    feature: str = records.LOCATION
    horizon: str = ""
    max_side: int = 1024

    def __post_init__(self):
        if self.feature not in KEYS:
            raise unknown_choice("sequence_key", self.feature, KEYS, DataError)
        if self.horizon and self.horizon not in TIME_HORIZONS:
            raise unknown_choice("time_horizon", self.horizon, TIME_HORIZONS, DataError)

    def __call__(self, record: bytes) -> tuple[str, bytes]:
        """Returns the key of a tf.Example, and the example with a smaller image.

        Raises:
            ValueError: The feature is missing, or the date, if there is a horizon.
        """
        example = records.parse(record)
        key = records.text(example, self.feature)
        if not key:
            raise ValueError(f"no {self.feature}")
        if self.horizon:
            key += self._when(example)
        if not self.max_side:
            return key, record
        data = records.values(example, "image/encoded")
        place = records.text(example, records.SOURCE_ID)
        small, (height, width) = shrunk_jpeg(
            data[0] if data else b"", self.max_side, place
        )
        records.put(example, "image/encoded", [small], bytes)
        records.put(example, "image/height", [height], int)
        records.put(example, "image/width", [width], int)
        return key, example.SerializeToString()

    def _when(self, example: Any) -> str:
        date = records.date_captured(example)
        parts = {
            "year": date.year,
            "month": date.month,
            "week": date.day // 7,  # Of the month, as in the original.
            "day": date.day,
            "hour": date.hour,
            "minute": date.minute,
        }
        order = {
            "year": ("year",),
            "month": ("year", "month"),
            "week": ("year", "month", "week"),
            "day": ("year", "month", "day"),
            "hour": ("year", "month", "day", "hour"),
            "minute": ("year", "month", "day", "hour", "minute"),
        }
        return "".join(f"/{parts[name]}" for name in order[self.horizon])


@dataclasses.dataclass(frozen=True)
class AddContext:
    """Builds the memory bank of a group and adds it to its images. Picklable.

    Args:
        feature: The feature by which images were grouped; decides their order.
        add: Whether to add banks; else images are only grouped.
        sort_by_id: Whether images of a location are sorted by id, else by date.
        keep: Ids of the images to write; None: all. Banks are built from all images.
        keep_ids: Also write the ids of the images of a bank.
        every: Use every n-th image only in a bank; 0: all.
        min_score: Use only images whose best embedding has at least this score; None:
            all.
        with_objects: Use only images with groundtruth.
        max_images: Maximum number of images per bank; larger groups are split.
        output: `EXAMPLE` or `SEQUENCE_EXAMPLE`.
        clip: Maximum number of frames per sequence; 0: any number.
        length: Length of a row, if no image has it.
    """

    feature: str = records.LOCATION
    add: bool = True
    sort_by_id: bool = True
    keep: frozenset[str] | None = None
    keep_ids: bool = False
    every: int = 0
    min_score: float | None = None
    with_objects: bool = False
    max_images: int = 2000
    output: str = EXAMPLE
    clip: int = 0
    length: int = 2057

    def __post_init__(self):
        if self.output not in (EXAMPLE, SEQUENCE_EXAMPLE):
            known = (EXAMPLE, SEQUENCE_EXAMPLE)
            raise unknown_choice("output_type", self.output, known, DataError)
        for name, minimum in (
            ("max_images", 1),
            ("every", 0),
            ("clip", 0),
            ("length", 1),
        ):
            if getattr(self, name) < minimum:
                raise DataError(name, f"must be {minimum} or more")

    def __call__(self, group: tuple[str, Any]) -> Iterator[bytes]:
        """Yields the serialized messages of a group of serialized tf.Examples."""
        key, members = group
        examples = sorted((records.parse(m) for m in members), key=self._order)
        # The original drops all but the first part of a group that is too large.
        for start in range(0, len(examples), self.max_images):
            name = (
                key
                if len(examples) <= self.max_images
                else f"{key}_{start // self.max_images}"
            )
            yield from self._part(name, examples[start : start + self.max_images])

    def _order(self, example: Any) -> Any:
        if self.feature == records.SEQUENCE:
            return (records.values(example, records.FRAME) or [0])[0]
        name = records.text(example, records.SOURCE_ID)
        return name if self.sort_by_id else (records.date_captured(example), name)

    def _part(self, key: str, examples: list[Any]) -> Iterator[bytes]:
        bank, ids = self._bank(examples)
        if self.keep is not None:
            wanted = self.keep
            examples = [
                e for e in examples if records.text(e, records.SOURCE_ID) in wanted
            ]
        if not examples:
            return
        shared = self._shared(examples, bank, ids)
        if self.output == SEQUENCE_EXAMPLE:
            yield from clips(key, examples, shared, self.clip)
            return
        for example in examples:
            records.copy(shared, example)
            yield example.SerializeToString()

    def _shared(
        self, examples: Sequence[Any], bank: list[float], ids: list[str]
    ) -> Any:
        """Returns a tf.Example message with the features that all images share."""
        shared = records.empty()
        if self.add:
            records.put(shared, context.VALUES, bank, float)
            records.put(shared, context.LENGTH, [self._length(examples)], int)
        if self.keep_ids:
            records.put(shared, context.IDS, ids, bytes)
        return shared

    def _bank(self, examples: list[Any]) -> tuple[list[float], list[str]]:
        """Returns the flat values of a bank, and the image id of each row."""
        bank: list[float] = []
        ids: list[str] = []
        for index, example in enumerate(examples):
            own = self.max_images + 1  # No row.
            if self._is_used(index, example):
                own = len(ids)
                bank += records.values(example, _EMBEDDING)
                ids.append(records.text(example, records.SOURCE_ID))
            records.put(example, _OWN_ROW, [own], int)
        return bank, ids

    def _is_used(self, index: int, example: Any) -> bool:
        if self.every and index % self.every:
            return False
        if self.min_score is not None:
            scores = records.values(example, _SCORE)
            if not scores or scores[0] < self.min_score:
                return False
        return not self.with_objects or bool(
            records.values(example, "image/object/bbox/xmin")
        )

    def _length(self, examples: Sequence[Any]) -> int:
        for example in examples:
            if said := records.values(example, "image/embedding_length"):
                return int(said[0])
        return self.length
