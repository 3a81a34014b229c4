"""Base of all sources: decodes images and cleans annotations."""

import copy
import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np

from odapi.data.clean import clean_boxes, reference_size
from odapi.data.context_features import CONTEXT, CONTEXT_IDS, CONTEXT_KEYS
from odapi.data.image.decode import decode_image
from odapi.data.image.header import Header, read_header
from odapi.data.image.lazy_masks import Decode, LazyMasks
from odapi.data.image.limit import check_pixels
from odapi.data.keypoint_values import clean_keypoints, count_outside_boxes
from odapi.data.object_masks import (
    box_of_keypoints,
    box_of_mask,
    fit_mask,
    lack_boxes,
)
from odapi.data.positions import normalize_pixels
from odapi.data.problems import Problems
from odapi.data.sample import Sample, keep_objects
from odapi.errors import DataError
from odapi.fields import FIELDS, IMAGE_CLASSES, REQUIRED
from odapi.labels import LabelMap

Size = tuple[int, int]

# Key of an encoded sample: a list of image files, one per additional channel.
ADDITIONAL = "additional_encoded"

# Decodes the mask of an object, uint8 [h, w], given the (height, width) of its
# annotation; raises ValueError.
MaskOf = Callable[[Size], np.ndarray]


@dataclasses.dataclass
class Raw:
    """One image with its annotations as stored in the files.

    Args:
        image_id: Unique in the source.
        filename: Name for display.
        size: (height, width) according to the annotation, or None.
        objects: Arrays of a sample by key, without masks. Boxes are
            `[n, 4]`, keypoints `[n, k, 2]` with visibility as annotated, areas in
            pixels of `size`.
        in_pixels: Whether boxes and keypoints are in pixels.
        mask_of: One decoder per object, or None. Without "masks" in the keys of the
            source, only for the boxes of objects without one.
        context: Values of the whole image, by the keys of `context_features`.
        additional: Image files of additional channels, one gray image each.
    """

    image_id: str
    filename: str
    size: Size | None
    objects: dict[str, np.ndarray]
    in_pixels: bool = True
    mask_of: list[MaskOf | None] | None = None
    context: dict[str, Any] = dataclasses.field(default_factory=dict)
    additional: tuple[bytes, ...] = ()

    @property
    def shown_name(self) -> str:
        """The id, and the name of the file if it differs, for messages."""
        other = self.filename and self.filename != self.image_id
        return f"{self.image_id} ({self.filename})" if other else self.image_id

    def where(self, index: int) -> str:
        """Returns the name of an object for a list of problems."""
        return f"{self.image_id}, object {index + 1}"


class BaseSource:
    """Reads, decodes and cleans samples; subclasses locate them.

    Thread-safe.

    Attributes:
        is_stored: False if samples are made in Python, which may take long.
        max_pixels: Limit on the pixels of an image; None takes `max_image_pixels`.
        num_channels: Channels of the images: RGB and additional ones.

    Args:
        name: For messages, such as the path.
        label_map: The classes.
        problems: Problems found while opening; reading adds more.
        keys: Optional fields of its samples. Missing ones get defaults, so that all
            samples have the same keys.
        num_keypoints: Number of keypoints per object, if `keys` has them.
    """

    is_stored = True
    max_pixels: int | None = None
    num_channels: int = 3

    def __init__(
        self,
        name: str,
        label_map: LabelMap,
        problems: Problems,
        keys: Iterable[str] = (),
        num_keypoints: int = 0,
    ):
        self.name = name
        self.label_map = label_map
        self.problems = problems
        self.keys = frozenset(keys)
        self.num_keypoints = num_keypoints

    def with_keys(self, keys: Iterable[str], num_keypoints: int = 0) -> Self:
        """Returns the source with its samples restricted to some optional fields.

        Args:
            keys: Fields to keep; those that the dataset lacks get defaults.
            num_keypoints: Number of keypoints per object; 0 keeps that of the dataset.
        """
        other = copy.copy(self)
        other.keys = frozenset(keys)
        other.num_keypoints = num_keypoints or self.num_keypoints
        return other

    def __len__(self) -> int:
        raise NotImplementedError

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in order."""
        raise NotImplementedError

    def raw(self, index: int) -> Raw:
        """Returns the annotations as stored in the files."""
        raise NotImplementedError

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes.

        Raises:
            DataError: The file cannot be read.
        """
        raise NotImplementedError

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns annotations and image bytes, for sources that read both at once."""
        return self.raw(index), self.encoded(index)

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; its objects are cleaned, its image is uint8.

        Raises:
            DataError: The image cannot be used; counted in `problems`.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        raw, data = self._load_counted(index, self.load)
        header = read_header(data)
        pixels = None
        if header.stored_size is None:
            pixels = self._decode(data, raw, header)
            header = Header(header.format, pixels.shape[:2])
        turn, reference = reference_size(header, raw.size, self.problems, raw.image_id)
        if not turn:
            header = dataclasses.replace(header, orientation=1)
        if pixels is None:
            pixels = self._decode(data, raw, header)
        height, width = pixels.shape[:2]
        sample = self._annotations(raw, (height, width), reference)
        sample["image"] = pixels
        return sample

    def annotations(self, index: int) -> Sample:
        """Returns the sample without its image, plus `size` (h, w) of the image.

        Raises:
            DataError: The image cannot be read.
        """
        return self.raw_and_annotations(index)[1]

    def raw_and_annotations(self, index: int) -> tuple[Raw, Sample]:
        """Returns the annotations as stored, and as `annotations` returns them.

        Raises:
            DataError: The image cannot be read.
        """
        raw, header = self._header(index)
        return raw, self._annotated(raw, header)

    def image_path(self, index: int) -> pathlib.Path | None:
        """Returns the path of the image file; None if it is no file of its own."""
        return None

    def fingerprint(self, index: int) -> bytes:
        """Returns a hash that is equal for images with the same bytes.

        Raises:
            DataError: The image cannot be read.
        """
        return hashlib.sha256(self.encoded(index)).digest()

    def _annotated(self, raw: Raw, header: Header) -> Sample:
        turn, reference = reference_size(header, raw.size, self.problems, raw.image_id)
        size = header.shown_size if turn else header.stored_size
        if size is None:
            raise DataError(raw.image_id, "the size of the image is not known")
        sample = self._annotations(raw, size, reference)
        sample["size"] = size
        return sample

    def encoded_sample(self, index: int) -> Sample:
        """Returns the sample with its image still encoded.

        Its keys: those of `annotations`, `encoded`, `header`, and maybe `ADDITIONAL`.

        Raises:
            DataError: The bytes are not an image.
        """
        raw, data = self._load_counted(index, self.load)
        header = read_header(data)
        if header.stored_size is None:
            header = Header(header.format, self._decode(data, raw, header).shape[:2])
        sample = self._annotated(raw, header)
        if raw.additional:
            sample[ADDITIONAL] = list(raw.additional)
        return sample | {"encoded": data, "header": header}

    def load_head(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and at least the beginning of the image file."""
        return self.load(index)

    def _header(self, index: int) -> tuple[Raw, Header]:
        raw, data = self._load_counted(index, self.load_head)
        header = read_header(data)
        # The header may be longer than the beginning that was read.
        if header.stored_size is None:
            raw, data = self._load_counted(index, self.load)
            header = read_header(data)
        if header.stored_size is None:
            pixels = self._decode(data, raw, header)
            header = Header(header.format, pixels.shape[:2])
        return raw, header

    def _load_counted(
        self, index: int, load: Callable[[int], tuple[Raw, bytes]]
    ) -> tuple[Raw, bytes]:
        try:
            raw, data = load(index)
            check_pixels(data, read_header(data), raw.shown_name, self.max_pixels)
        except DataError as error:
            self._found_corrupt(error.place, error)
            raise
        return raw, data

    def _decode(self, data: bytes, raw: Raw, header: Header) -> np.ndarray:
        place = raw.shown_name
        try:
            return decode_image(
                data,
                f"{self.name}: {place}",
                header=header,
                notice=lambda: self.problems.found("damaged JPEG", place),
                max_pixels=self.max_pixels,
                channels=self.num_channels,
                additional=raw.additional,
            )
        except DataError as error:
            self._found_corrupt(place, error)
            raise

    def _found_corrupt(self, place: str, error: DataError) -> None:
        self.problems.found("corrupt image", f"{place}: {error.problem}")

    def _annotations(self, raw: Raw, size: Size, reference: Size) -> Sample:
        """Returns the cleaned sample; `size` is of the image, in pixels."""
        objects: dict[str, Any] = dict(raw.objects)
        if raw.in_pixels:
            normalize_pixels(objects, reference)
        if "area" in objects and reference != size:
            objects["area"] = objects["area"] * np.float32(
                size[0] * size[1] / (reference[0] * reference[1])
            )
        if "keypoints" in objects:
            self._clean_keypoints(objects, raw)
        self._add_boxes(objects, raw, size, reference)
        boxes, keep = clean_boxes(objects["boxes"], size, self.problems, raw.where)
        objects["boxes"] = boxes
        if "keypoints" in objects:
            count_outside_boxes(objects["keypoints"], boxes, self.problems, raw.where)
        if "masks" in self.keys:
            objects["masks"] = self._masks(raw, boxes, size, reference)
            weights = _mask_weights(raw, objects)
            if (weights != 1).any():
                objects["mask_weights"] = weights
        sample: Sample = {"image_id": raw.image_id, "filename": raw.filename}
        wanted = self.keys | {*REQUIRED, *IMAGE_CLASSES}
        wanted |= {"mask_weights"} if "masks" in self.keys else set()
        sample |= {key: value for key, value in objects.items() if key in wanted}
        sample |= {k: raw.context[k] for k in self.keys & raw.context.keys()}
        if not keep.all():
            sample = keep_objects(sample, keep)
        self._fill(sample, size)
        return sample

    def _clean_keypoints(self, objects: dict[str, Any], raw: Raw) -> None:
        """Applies the rule for keypoints, in place."""
        given = objects.get("keypoint_visibility")
        points, visibility = clean_keypoints(
            objects["keypoints"], given, self.problems, raw.where
        )
        objects["keypoints"] = points
        if given is not None:
            objects["keypoint_visibility"] = visibility

    def _add_boxes(
        self, objects: dict[str, Any], raw: Raw, size: Size, reference: Size
    ) -> None:
        """Takes missing boxes from masks, or else from keypoints, in place."""
        missing = lack_boxes(objects["boxes"])
        if not missing.any():
            return
        boxes = np.array(objects["boxes"], np.float64)
        for i in np.flatnonzero(missing):
            kind, box = "box from mask", None
            if raw.mask_of and raw.mask_of[i] is not None:
                mask = self._mask(raw, int(i), None, size, reference)
                box = box_of_mask(mask)
            if box is None and "keypoints" in objects:
                kind, box = (
                    "box from keypoints",
                    box_of_keypoints(objects["keypoints"][i]),
                )
            if box is not None:
                boxes[i] = box
                self.problems.found(kind, raw.where(int(i)))
        objects["boxes"] = boxes
        if "area" in objects:
            with np.errstate(over="ignore", invalid="ignore"):
                of_box = np.abs(((boxes[:, 2:] - boxes[:, :2]) * size).prod(1))
                of_box = of_box.astype(np.float32)
            area = np.array(objects["area"], np.float32)
            area = np.where(np.isnan(area), of_box, area)
            objects["area"] = area

    def _mask(
        self,
        raw: Raw,
        index: int,
        box: np.ndarray | None,
        size: Size,
        reference: Size,
    ) -> np.ndarray:
        """Returns the mask of an object at the size of its image; empty if unusable."""
        decode = raw.mask_of[index] if raw.mask_of else None
        if decode is None:
            return np.zeros(size, np.uint8)
        where = raw.where(index)
        try:
            mask = decode(reference)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError):
            self.problems.found("malformed mask", where)
            return np.zeros(size, np.uint8)
        weights = raw.objects.get("mask_weights")
        absent = weights is not None and weights[index] == 0
        return fit_mask(mask, size, box, self.problems, where, may_be_empty=absent)

    def _masks(
        self, raw: Raw, boxes: np.ndarray, size: Size, reference: Size
    ) -> LazyMasks:
        decoders: list[Decode | None] = []
        for i, mask_of in enumerate(raw.mask_of or [None] * len(boxes)):
            decode = functools.partial(self._mask, raw, i, boxes[i], size, reference)
            decoders.append(decode if mask_of is not None else None)
        return LazyMasks(tuple(decoders), size)

    def _fill(self, sample: Sample, size: Size) -> None:
        """Adds defaults for fields that this sample lacks."""
        count = len(sample["boxes"])
        for key in self.keys - sample.keys():
            if key == "area":
                height, width = (sample["boxes"][:, 2:] - sample["boxes"][:, :2]).T
                sample[key] = height * width * np.float32(size[0] * size[1])
            elif key in FIELDS:
                sizes = {"k": self.num_keypoints}
                sample[key] = FIELDS[key].missing_values(count, sizes)
            elif key in CONTEXT_KEYS:
                sample[key] = {CONTEXT: np.zeros((0, 0), "f4"), CONTEXT_IDS: []}[key]


def _mask_weights(raw: Raw, objects: dict[str, Any]) -> np.ndarray:
    """Returns the mask weight of each object: 0 if it has no mask."""
    count = len(objects["boxes"])
    weights = np.asarray(objects.get("mask_weights", np.ones(count)), np.float32)
    there = np.array([m is not None for m in raw.mask_of or [None] * count], bool)
    return weights * there
