"""The contract of augmentations, and augmentations written by users."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from odapi.data.image.lazy import LazyImage, rendered
from odapi.data.image.lazy_masks import LazyMasks
from odapi.data.sample import Sample
from odapi.data.sample_checks import InvalidSampleError, check_sample


class Augmentation(Protocol):
    """Changes one training sample at random.

    The built-in augmentations record what they change in a `LazyImage`, so that crops,
    flips, colors and the final resizing cost one pass over the pixels. An augmentation
    of your own does not need that: `PlainAugmentation` gives it NumPy arrays.
    """

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the changed sample; the given one is not modified.

        Args:
            sample: One image with its annotations, see `odapi.data.sample`.
            rng: The only source of randomness, seeded per sample, so that a resumed
                training draws the same numbers.
        """


@dataclasses.dataclass(frozen=True)
class PlainAugmentation:
    """Runs a user's function on plain NumPy arrays, and checks what it returns.

    The function gets `image` as uint8 `[h, w, 3]` and masks as uint8 `[n, h, w]`, may
    change both in place, and may return any size and any number of objects:

        def darken(sample, rng):
            image = sample["image"] * rng.uniform(0.5, 1.0)
            return sample | {"image": image.astype("uint8")}

    With data processes (`options.data_loading.processes`) the function must be defined
    in an importable module.

    Args:
        function: `(sample, rng) -> sample`.
    """

    function: Callable[[Sample, np.random.Generator], Sample]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                "an augmentation is a function (sample, rng) -> sample, got "
                f"{self.function!r}"
            )

    @property
    def name(self) -> str:
        """Name of the function, for messages."""
        function = self.function
        return getattr(function, "__qualname__", type(function).__qualname__)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the sample that the function returns.

        Raises:
            InvalidSampleError: The function failed, or returned something else than a
                sample; names the function, the image and the key.
        """
        plain = {key: _writable(value) for key, value in _arrays(sample).items()}
        place = f"augmentation {self.name}, image {sample.get('image_id', '')!r}"
        if plain["image"].dtype != np.uint8:
            raise InvalidSampleError(
                place, f"cannot get an image of {plain['image'].dtype}",
                hint="remove normalize_image and subtract_channel_mean from the "
                "config: models normalize images themselves",
            )  # fmt: skip
        try:
            result = self.function(dict(plain), rng)
        except Exception as error:
            raise InvalidSampleError(
                place, f"raised {type(error).__name__}: {error}"
            ) from error
        if result is None:
            raise InvalidSampleError(
                place, "returned None", hint="return the changed sample"
            )
        checked = check_sample(result, place, known=plain)
        channels = [image.shape[2] for image in (plain["image"], checked["image"])]
        if channels[0] != channels[1]:
            raise InvalidSampleError(
                f"{place}['image']",
                f"has {channels[1]} channels, before {channels[0]}",
            )
        for key in plain:
            if key not in checked:
                raise InvalidSampleError(
                    place, f"removed {key!r}", hint="return sample | {...}"
                )
        return checked


def as_augmentation(function: Any) -> Augmentation:
    """Returns an augmentation of odapi as it is, and wraps any other function."""
    module = type(function).__module__
    return function if module.startswith("odapi.") else PlainAugmentation(function)


def _arrays(sample: Sample) -> Sample:
    """Returns the sample with all recorded changes carried out."""
    sample = rendered(sample | {"image": LazyImage.of(sample["image"])})
    if isinstance(sample.get("masks"), LazyMasks):
        sample = sample | {"masks": np.asarray(sample["masks"])}
    return sample


def _writable(value: Any) -> Any:
    """Returns a copy of an array that is shared, such as one in the sample cache."""
    if isinstance(value, np.ndarray) and not value.flags.writeable:
        return value.copy()
    return value
