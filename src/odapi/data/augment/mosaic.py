"""Mosaics: four images in one."""

import dataclasses

import numpy as np

from odapi.data.augment import transforms
from odapi.data.augment.concatenate import concatenate
from odapi.data.augment.partners import Combination, Partners, check_share
from odapi.data.augment.placement import Part
from odapi.data.augment.transforms import Window
from odapi.data.image.lazy import LazyImage
from odapi.data.sample import Sample, keep_objects

# Range of the common corner, as shares of height and width.
_CORNER = (0.25, 0.75)
# Color where no image reaches.
_GRAY = 114


@dataclasses.dataclass(frozen=True)
class Mosaic(Combination):
    """Puts the image and three others around a random common corner.

    The result has the size that the model's resizer gives the image. Each image is
    scaled as the resizer would scale it, times a random factor; of an image that is
    larger than its quarter, the part at the common corner is shown, and where it is
    smaller, the outer part of the quarter is gray.

    Args:
        probability: Probability of a mosaic.
        min_scale, max_scale: Range of the factor of each image.
        overlap_thresh: An object is kept if at least this share of its box is shown.

    Source: Bochkovskiy et al. 2020 (https://arxiv.org/abs/2004.10934), section 3.3.
    """

    min_scale: float = 0.5
    max_scale: float = 1.5
    overlap_thresh: float = 0.3

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.min_scale <= self.max_scale:
            raise ValueError(
                f"needs 0 < min_scale <= max_scale, got {self.min_scale} and "
                f"{self.max_scale}"
            )
        check_share("overlap_thresh", self.overlap_thresh)

    def combined(
        self, sample: Sample, rng: np.random.Generator, partners: Partners
    ) -> Sample:
        """Returns the mosaic."""
        samples = [sample, *(partners(rng) for _ in range(3))]
        size = partners.size(*transforms.size_of(sample))
        draws = rng.random(6)
        corner = [
            # The first image always has a pixel.
            max(round(side * (_CORNER[0] + draw * (_CORNER[1] - _CORNER[0]))), 1)
            for side, draw in zip(size, draws[:2], strict=True)
        ]
        factors = self.min_scale + draws[2:] * (self.max_scale - self.min_scale)
        parts = []
        for index, (one, factor) in enumerate(zip(samples, factors, strict=True)):
            rows = _Span(corner[0], size[0], index < 2)
            columns = _Span(corner[1], size[1], index % 2 == 0)
            if rows.room and columns.room:
                wanted = partners.size(*transforms.size_of(one))
                parts.append(self._part(one, wanted, float(factor), rows, columns))
        canvas = np.full((*size, parts[0].image.shape[2]), _GRAY, parts[0].image.dtype)
        for part in parts:
            part.image.render(out=part.area_of(canvas))
        joint = concatenate([part.on_canvas(size) for part in parts])
        return joint | {"image": LazyImage.of(canvas)}

    def _part(
        self,
        sample: Sample,
        wanted: tuple[int, int],
        factor: float,
        rows: "_Span",
        columns: "_Span",
    ) -> Part:
        height, width = transforms.size_of(sample)
        first_row, taken_rows, new_height = rows.cut(height, wanted[0] * factor)
        first_column, taken_columns, new_width = columns.cut(width, wanted[1] * factor)
        # Cropped before scaling, so that only visible pixels are computed.
        window = Window(first_row, first_column, taken_rows, taken_columns)
        share = transforms.covered_share(sample["boxes"], window.box(height, width))
        keep = (share >= self.overlap_thresh) & (share > 0)  # NaN: False.
        shown = transforms.move_to(keep_objects(sample, keep), window)
        shown = transforms.resize(transforms.drop_outside(shown), new_height, new_width)
        return Part(shown, rows.start(new_height), columns.start(new_width))


@dataclasses.dataclass(frozen=True)
class _Span:
    """Rows or columns of a quarter, on one side of the common corner.

    Args:
        corner: Position of the common corner.
        size: Pixels of the mosaic.
        is_before: Whether the quarter ends at the corner.
    """

    corner: int
    size: int
    is_before: bool

    @property
    def room(self) -> int:
        """Number of pixels of the quarter."""
        return self.corner if self.is_before else self.size - self.corner

    def cut(self, length: int, scaled: float) -> tuple[int, int, int]:
        """Returns the first pixel that is shown, their number, and that once scaled.

        Args:
            length: Pixels of the image.
            scaled: Pixels of the image once scaled.
        """
        whole = max(round(scaled), 1)
        if whole <= self.room:
            return 0, length, whole
        taken = min(max(round(self.room * length / whole), 1), length)
        return (length - taken if self.is_before else 0), taken, self.room

    def start(self, length: int) -> int:
        """Returns the position of the first pixel of an image of some pixels."""
        return self.corner - length if self.is_before else self.corner
