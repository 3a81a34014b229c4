"""Classes of each image of a dataset, and repeat factors by the rarest of them."""

import collections
import math
from collections.abc import Sequence

from odapi.data.read_ahead import read_ahead
from odapi.data.sample_checks import InvalidSampleError
from odapi.data.sources.base import BaseSource
from odapi.errors import DataError
from odapi.progress import track

_THREADS = 16  # They wait for files.


def image_classes(source: BaseSource) -> list[set[int]]:
    """Returns the class indices of the objects of each image, without decoding it.

    Images that cannot be read have none; they are counted when they are loaded.

    Args:
        source: The dataset.

    Raises:
        InvalidSampleError: A sample that was made in Python has a wrong form.
    """

    def read(index: int) -> set[int]:
        try:
            return set(source.raw(index).objects["classes"].tolist())
        except InvalidSampleError:
            raise  # A mistake in the user's code.
        except DataError:
            return set()

    indices = range(len(source))
    found = read_ahead(read, indices, min(_THREADS, len(source)))
    return list(track(found, "reading classes", len(source)))


def repeat_factors(classes: Sequence[set[int]], threshold: float) -> tuple[float, ...]:
    """Returns the repeat factor of each image, 1 or more.

    A class in a share f of the images has the factor max(1, sqrt(threshold / f)); an
    image has the highest of its classes, and 1 without objects.

    Args:
        classes: Class indices by image.
        threshold: Share of the images below which a class is repeated.

    Source: Gupta et al. 2019, LVIS (https://arxiv.org/abs/1908.03195), section 5.1.
    """
    counts = collections.Counter(index for found in classes for index in found)
    of_class = {
        index: max(1.0, math.sqrt(threshold * len(classes) / count))
        for index, count in counts.items()
    }
    return tuple(max((of_class[i] for i in found), default=1.0) for found in classes)
