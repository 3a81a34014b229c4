"""Preview of a dataset: images with their objects, with and without augmentation."""

from collections.abc import Sequence

import numpy as np

from odapi.data.augment.chain import augment
from odapi.data.augment.partners import Partners
from odapi.data.image.lazy import rendered
from odapi.data.loader.pipeline import Augmentation
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.draw.image import draw_objects
from odapi.draw.mosaic import mosaic
from odapi.errors import DataError
from odapi.wording import counted

_PAIRS_IN_A_ROW = 2


def draw_preview(
    source: BaseSource,
    indices: Sequence[int],
    augmentations: Sequence[Augmentation] = (),
    seed: int = 0,
) -> np.ndarray:
    """Returns a mosaic `[h, w, 3]` uint8, RGB; augmented images follow theirs.

    Args:
        source: The dataset.
        indices: Indices of the images; images that cannot be used are skipped.
        augmentations: Augmentations of training; none shows only the images.
        seed: Seed of the augmentations.

    Raises:
        DataError: None of the images can be used.
    """

    def draw(rng: np.random.Generator) -> int:
        return int(rng.integers(len(source)))

    images_shown: list[np.ndarray] = []
    captions: list[str] = []
    for index in indices:
        try:
            sample = source[index]
        except DataError:
            continue
        images_shown.append(draw_objects(sample["image"], sample, source.label_map))
        captions.append(f"{sample['image_id']}: {_count(sample)}")
        if not augmentations:
            continue
        rng = np.random.default_rng([seed, index])
        partners = Partners(source.__getitem__, draw, sample)
        sample = rendered(augment(sample, rng, augmentations, partners=partners))
        images_shown.append(draw_objects(sample["image"], sample, source.label_map))
        captions.append(f"augmented: {_count(sample)}")
    if not images_shown:
        raise DataError(source.name, "none of the images to show can be used")
    columns = 2 * _PAIRS_IN_A_ROW if augmentations else 0
    return mosaic(images_shown, captions, columns=columns)


def _count(sample: Sample) -> str:
    return counted(len(sample["boxes"]), "object")
