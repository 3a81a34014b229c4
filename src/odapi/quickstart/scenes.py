"""Images of the quick start: objects of many sizes on varied backgrounds."""

import dataclasses

import cv2
import numpy as np

from odapi.quickstart.glyphs import Glyphs

_MIN_COVERAGE = 0.5  # Of the pixels within the box of an object.
_MIN_CONTRAST = 90.0  # Of an object with its background, of 255.
_MAX_TRIES = 12  # Positions tried before an object is left out.
_MIN_GAP = 2  # Pixels between boxes.


@dataclasses.dataclass(frozen=True)
class Scene:
    """Generator of images.

    Args:
        sides: Minimum and maximum height and width of an image, in pixels.
        object_sizes: Minimum and maximum height of an object, in pixels; sizes are
            uniform on a logarithmic scale.
        max_objects: Maximum number of objects per image.
        empty: Fraction of images without an object.
    """

    sides: tuple[int, int] = (128, 152)
    object_sizes: tuple[float, float] = (18.0, 80.0)
    max_objects: int = 6
    empty: float = 0.08

    def draw(
        self, glyphs: Glyphs, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws one image.

        Returns:
            The image uint8 `[h, w, 3]`; boxes float32 `[n, 4]` in pixels `[y_min,
            x_min, y_max, x_max]`; classes int32 `[n]`.
        """
        height, width = rng.integers(self.sides[0], self.sides[1] + 1, 2)
        image = background(int(height), int(width), rng)
        boxes: list[np.ndarray] = []
        classes: list[int] = []
        count = int(rng.integers(1, self.max_objects + 1))
        if rng.random() < self.empty:
            count = 0
        low, high = np.log(self.object_sizes)
        # Large objects first: small ones still fit between them.
        for size in sorted(np.exp(rng.uniform(low, high, count)), reverse=True):
            row = int(rng.integers(len(glyphs.masks)))
            mask = _enlarge(glyphs.masks[row], size, rng)
            corner = _free_corner(mask.shape, image.shape, boxes, rng)
            if corner is None:
                continue
            boxes.append(_paint(image, mask, corner, rng))
            classes.append(int(glyphs.classes[row]))
        noisy = image + rng.normal(0, rng.uniform(0, 8), image.shape)
        return (
            np.clip(noisy, 0, 255).astype(np.uint8),
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(classes, np.int32),
        )


def background(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a gradient with a texture, float32 `[h, w, 3]` in 0..255."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (ys * np.sin(angle) + xs * np.cos(angle)) / max(height, width)
    # Dark to medium: objects are always lighter. Objects of both kinds take longer to
    # learn than a quick start should.
    first, second = rng.uniform(0, 150, (2, 3)).astype(np.float32)
    image = first + (second - first) * np.clip(along, 0, 1)[..., None]
    texture = _TEXTURES[rng.integers(len(_TEXTURES))](along, rng)
    return np.ascontiguousarray(np.clip(image + texture, 0, 255), np.float32)


def _plain(along: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.zeros((*along.shape, 1), np.float32)


def _clouds(along: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = along.shape
    total = np.zeros((height, width, 3), np.float32)
    for cells in (3, 6, 14):
        grid = rng.normal(0, 45 / cells**0.5, (cells, cells, 3)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def _stripes(along: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    wave = np.sin(along * rng.uniform(15, 110) + rng.uniform(0, 6))
    return (wave[..., None] * rng.uniform(-22, 22, 3)).astype(np.float32)


def _lines(along: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = along.shape
    canvas = np.zeros((height, width, 3), np.float32)
    for _ in range(rng.integers(3, 12)):
        ends = rng.uniform(-0.2, 1.2, (2, 2)) * (width, height)
        (x0, y0), (x1, y1) = ends.astype(int).tolist()
        color = rng.uniform(-50, 50, 3).tolist()
        thickness = int(rng.integers(1, 7))
        cv2.line(canvas, (x0, y0), (x1, y1), color, thickness, cv2.LINE_AA)
    return canvas


_TEXTURES = (_plain, _clouds, _stripes, _lines)


def _enlarge(mask: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Returns the mask, about `size` pixels high, slightly rotated and stretched."""
    angle = rng.uniform(-0.15, 0.15)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32
    )
    stretch = np.diag([rng.uniform(0.85, 1.2), 1.0])
    forward = turn @ stretch * (size / (len(mask) - 2))
    side = int(np.ceil(size * 1.6))
    middle = (len(mask) - 1) / 2
    shift = np.array([side / 2, side / 2]) - forward @ [middle, middle]
    large = cv2.warpAffine(
        mask,
        np.column_stack([forward, shift]),
        (side, side),
        flags=cv2.INTER_CUBIC,
    )
    large = np.clip((large - 0.35) / 0.35, 0, 1)  # Sharpens the blurred edge.
    ys, xs = np.nonzero(large > 0.05)
    return large[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]


def _free_corner(shape, image_shape, boxes, rng) -> tuple[int, int] | None:
    """Returns a top left corner where the mask overlaps no box, or None."""
    height, width = shape
    limit_y, limit_x = image_shape[0] - height, image_shape[1] - width
    if min(limit_y, limit_x) < 0:
        return None
    for _ in range(_MAX_TRIES):
        y, x = int(rng.integers(limit_y + 1)), int(rng.integers(limit_x + 1))
        if all(
            y > b[2] + _MIN_GAP
            or x > b[3] + _MIN_GAP
            or y + height < b[0] - _MIN_GAP
            or x + width < b[1] - _MIN_GAP
            for b in boxes
        ):
            return y, x
    return None


def _paint(
    image: np.ndarray,
    mask: np.ndarray,
    corner: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Paints the mask in a contrasting color and returns its box."""
    (y, x), (height, width) = corner, mask.shape
    area = image[y : y + height, x : x + width]
    color = rng.uniform(90, 255, 3)
    missing = float(area.mean()) + _MIN_CONTRAST - color.mean()
    color = np.clip(color + max(missing, 0), 0, 255).astype(np.float32)
    area += (color - area) * mask[..., None]
    ys, xs = np.nonzero(mask > _MIN_COVERAGE)
    return np.array(
        [y + ys.min(), x + xs.min(), y + ys.max() + 1, x + xs.max() + 1], np.float32
    )
