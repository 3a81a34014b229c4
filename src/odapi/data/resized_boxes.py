"""Boxes of a dataset in pixels of the resized images, without reading pixels."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from odapi.data.image.resize import Resizer
from odapi.data.read_ahead import read_ahead
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.errors import DataError
from odapi.progress import track

Size = tuple[int, int]
_THREADS = 16  # They wait for files.


@dataclasses.dataclass(frozen=True)
class ResizedBoxes:
    """The boxes of a dataset as a model sees them, without augmentation.

    Args:
        boxes: `[n, 4]` float64, pixels of the resized image.
        sizes: Height and width `[n, 2]` of the image that a box is in, with padding.
        images: Number of images that were read.
        unusable: Number of images that cannot be used.
    """

    boxes: np.ndarray
    sizes: np.ndarray
    images: int = 0
    unusable: int = 0

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def shapes(self) -> np.ndarray:
        """Height and width `[n, 2]` in pixels."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    def groups(self) -> list[tuple[Size, np.ndarray]]:
        """Returns the image sizes, most frequent first, with their boxes' indices."""
        by_size = collections.defaultdict(list)
        for i, (height, width) in enumerate(self.sizes.tolist()):
            by_size[height, width].append(i)
        order = sorted(by_size.items(), key=lambda item: (-len(item[1]), item[0]))
        return [(size, np.array(rows)) for size, rows in order]

    def thinned(self, max_boxes: int, max_sizes: int) -> "ResizedBoxes":
        """Returns evenly spaced boxes of the most frequent image sizes."""
        rows = np.sort(np.concatenate([r for _, r in self.groups()[:max_sizes]]))
        kept = rows[np.unique(np.linspace(0, len(rows) - 1, max_boxes).astype(int))]
        return dataclasses.replace(self, boxes=self.boxes[kept], sizes=self.sizes[kept])


def resized(sample: Sample, resizer: Resizer) -> tuple[np.ndarray, Size]:
    """Returns the boxes `[n, 4]` of an image in resized pixels, and its padded size.

    Args:
        sample: With `boxes` and the `size` of the image.
        resizer: The resizer of the model.
    """
    height, width = (int(side) for side in sample["size"])
    true = np.array(resizer.true_size(height, width), np.float64)
    boxes = np.asarray(sample["boxes"], np.float64).reshape(-1, 4)
    return boxes * np.tile(true, 2), resizer.output_size(height, width)


def read_resized_boxes(source: BaseSource, resizer: Resizer) -> ResizedBoxes:
    """Reads the annotations of a dataset.

    Raises:
        DataError: There is no object.
    """

    def read(index: int) -> Sample | None:
        try:
            return source.annotations(index)
        except DataError:
            return None  # Counted in the problems of the source.

    boxes: list[np.ndarray] = []
    sizes: list[Size] = []
    unusable = 0
    indices: Sequence[int] = range(len(source))
    samples = read_ahead(read, indices, min(_THREADS, max(len(source), 1)))
    for sample in track(samples, "reading annotations", len(source)):
        if sample is None:
            unusable += 1
            continue
        found, size = resized(sample, resizer)
        found = found[(found[:, 2:] > found[:, :2]).all(1)]
        boxes.append(found)
        sizes += [size] * len(found)
    if not sizes:
        raise DataError(
            source.name,
            "has no objects, of which the sizes are needed",
            hint="odapi data inspect lists what was dropped",
        )
    return ResizedBoxes(
        np.concatenate(boxes), np.array(sizes), len(source) - unusable, unusable
    )
