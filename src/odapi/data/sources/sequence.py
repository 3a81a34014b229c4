"""Samples made in Python, as a source: any object with `__len__` and `__getitem__`."""

import functools
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from odapi.data.image.channels import encode_channels
from odapi.data.problems import Problems
from odapi.data.sample import Sample
from odapi.data.sample_checks import InvalidSampleError, check_image, check_sample
from odapi.data.sources.base import BaseSource, Raw, Size
from odapi.errors import DataError
from odapi.fields import FIELDS, IMAGE_CLASSES, REQUIRED
from odapi.files import read_image_file
from odapi.labels import LabelMap, label_map_of
from odapi.wording import counted


class SampleSequence(Protocol):
    """Samples by index, such as a list of dicts or a dataset of another library.

    A sample is a dict:

        image      uint8 [h, w, 3] RGB, or with additional channels, or the path of an
                   image file
        boxes      [n, 4], normalized [y_min, x_min, y_max, x_max]
        classes    [n] integers, counted from 0: the id in the label map minus 1
        image_id   optional; the index by default
        (others)   optional, any field of `odapi.fields`: masks [n, h, w],
                   keypoints [n, k, 2], is_crowd [n], weights [n] ...

    With data processes it must be picklable. Threads call it concurrently.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


class SequenceSource(BaseSource):
    """A source over samples that are made in Python.

    Args:
        samples: See `SampleSequence`.
        label_map: The classes, or their names in the order of their indices.
        name: For messages.
        keys: Optional fields that samples have; None takes those of the first sample.
        problems: Where corrupt files and boxes are counted.

    Raises:
        DataError: There are no samples, or the first one is not of the documented
            form; names the index and the key.
    """

    is_stored = False

    def __init__(
        self,
        samples: SampleSequence,
        label_map: LabelMap | Sequence[str],
        name: str = "sequence",
        keys: Sequence[str] | None = None,
        problems: Problems | None = None,
    ):
        if not isinstance(label_map, LabelMap):
            label_map = label_map_of(label_map, f"classes of {name}")
        super().__init__(name, label_map, Problems() if problems is None else problems)
        self._samples = samples
        if not hasattr(samples, "__len__") or not hasattr(samples, "__getitem__"):
            raise DataError(
                name,
                f"{type(samples).__name__} has no length or no index",
                hint="samples are a sequence with __len__ and __getitem__, such as a "
                "list",
            )
        if not len(samples):
            raise DataError(name, "has no samples")
        first = self._sample(0)
        found = first.keys() & FIELDS.keys() if keys is None else set(keys)
        self.keys = frozenset(found - set(REQUIRED))
        if "keypoints" in first:
            self.num_keypoints = first["keypoints"].shape[1]

    def __len__(self) -> int:
        return len(self._samples)

    @functools.cached_property
    def image_ids(self) -> list[str]:
        """The id of each sample, in their order."""
        return [self._sample(i)["image_id"] for i in range(len(self))]

    def raw(self, index: int) -> Raw:
        """Returns the annotations as the sequence has them."""
        return self._raw(self._sample(index))

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes; an array becomes a PNG file."""
        return self._encoded(self._sample(index))

    def load(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the image file's bytes."""
        sample = self._sample(index)
        return self._raw(sample), self._encoded(sample)

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; its objects are cleaned, its image is uint8 RGB.

        Raises:
            InvalidSampleError: It is not of the documented form.
            DataError: The image file cannot be used; counted in `problems`.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        sample = self._sample(index)
        image = sample["image"]
        if isinstance(image, pathlib.Path):
            return super().__getitem__(index)
        self._check_channels(image, index)
        pixels = image.view()
        pixels.flags.writeable = False  # It belongs to the user.
        return self._cleaned(sample, image.shape[:2]) | {"image": pixels}

    def raw_and_annotations(self, index: int) -> tuple[Raw, Sample]:
        """Returns the annotations as given, and as `annotations` returns them."""
        sample = self._sample(index)
        if isinstance(sample["image"], pathlib.Path):
            return super().raw_and_annotations(index)
        size = sample["image"].shape[:2]
        return self._raw(sample), self._cleaned(sample, size) | {"size": size}

    def image_path(self, index: int) -> pathlib.Path | None:
        """Returns the path of the image file; None if the image is an array."""
        image = self._sample(index)["image"]
        return image if isinstance(image, pathlib.Path) else None

    def fingerprint(self, index: int) -> bytes:
        """Returns a hash that is equal for equal arrays, or files of equal bytes."""
        image = self._sample(index)["image"]
        if isinstance(image, pathlib.Path):
            return super().fingerprint(index)
        shape = repr(image.shape).encode()
        return hashlib.sha256(shape + np.ascontiguousarray(image).tobytes()).digest()

    def _cleaned(self, sample: Sample, size: Size) -> Sample:
        return self._annotations(self._raw(sample), size, size)

    def _sample(self, index: int) -> Sample:
        """Returns a checked sample, with its `image_id`."""
        place = f"{self.name}[{index}]"
        sample = self._samples[index]
        if not isinstance(sample, dict):
            return check_sample(sample, place)
        image = sample.get("image")
        if image is None:
            raise InvalidSampleError(place, "has no 'image'", "an array or a path")
        if isinstance(image, str | os.PathLike):
            image = pathlib.Path(image).expanduser()
        else:
            image = check_image(image, place)
        annotations = {k: v for k, v in sample.items() if k != "image"}
        if not isinstance(image, pathlib.Path):
            annotations["image"] = image
        checked = check_sample(annotations, place) | {"image": image}
        self._check_classes(checked["classes"], place)
        return checked | {"image_id": str(sample.get("image_id", index))}

    def _check_channels(self, image: np.ndarray, index: int) -> None:
        if image.shape[2] != self.num_channels:
            wanted = self.num_channels
            raise InvalidSampleError(
                f"{self.name}[{index}]['image']",
                f"must be [height, width, {wanted}], got {list(image.shape)}",
                hint="train_input_reader.num_additional_channels is the number of "
                "channels after red, green and blue",
            )

    def _check_classes(self, classes: np.ndarray, place: str) -> None:
        count = self.label_map.num_classes
        if classes.size and classes.max() >= count:
            raise InvalidSampleError(
                f"{place}['classes']",
                f"class {classes.max()} is not in {self.label_map.source}, which has "
                f"{counted(count, 'class', 'classes')}",
                hint="classes count from 0: the id in the label map minus 1",
            )

    def _raw(self, sample: Sample) -> Raw:
        image = sample["image"]
        is_file = isinstance(image, pathlib.Path)
        objects = {
            key: value
            for key, value in sample.items()
            if (key in FIELDS or key in IMAGE_CLASSES) and key != "masks"
        }
        masks = sample.get("masks")
        return Raw(
            image_id=sample["image_id"],
            filename=image.name if is_file else str(sample.get("filename", "")),
            size=None if is_file else image.shape[:2],
            objects=objects,
            in_pixels=False,
            mask_of=None if masks is None else [_MaskOf(mask) for mask in masks],
        )

    def _encoded(self, sample: Sample) -> bytes:
        image = sample["image"]
        if not isinstance(image, pathlib.Path):
            return encode_channels(image)
        try:
            return read_image_file(image)
        except OSError as error:
            raise DataError(str(image), f"cannot be read: {error.strerror}") from error


class _MaskOf:
    """Decodes a mask that is an array already."""

    def __init__(self, mask: np.ndarray):
        self.mask = mask

    def __call__(self, size: Any) -> np.ndarray:
        return self.mask
