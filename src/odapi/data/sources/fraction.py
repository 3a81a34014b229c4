"""A fraction of a dataset in which each class keeps its share of the images."""

from odapi.data.image_classes import image_classes
from odapi.data.sources.base import BaseSource
from odapi.data.sources.subset import Subset
from odapi.data.split import stratify


class Fraction(Subset):
    """The images of a source at `indices`, in order. Use `take_fraction`."""


def take_fraction(source: BaseSource, fraction: float, seed: int = 0) -> BaseSource:
    """Returns a source with a fraction of the images, at least one.

    Args:
        source: The dataset.
        fraction: Above 0, at most 1.
        seed: Random seed; the same images are chosen for the same seed.
    """
    if fraction == 1 or len(source) < 2:
        return source
    classes = image_classes(source)
    part = stratify(classes, [fraction, 1 - fraction], seed)
    return Fraction(source, [i for i, number in enumerate(part) if number == 0])
