"""Instance masks in the forms of annotation files: RLE, polygons, PNG.

A mask is uint8 `[h, w]` in {0, 1}. Run lengths and polygons are COCO's: columns
first, and the same pixels as pycocotools fills.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from odapi.data.image.header import read_header
from odapi.data.image.limit import check_pixels, max_image_pixels

Rle = dict[str, Any]  # {"size": [h, w], "counts": bytes, str or list of int}


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask of a COCO `segmentation`: polygons, or RLE of either kind.

    Args:
        segmentation: Polygons in a form of `as_polygons`, in pixels, or a dict with
            `size` and `counts`.
        size: (height, width) that polygons refer to.

    Returns:
        `[h, w]` uint8 in {0, 1}; for an RLE, of the size that it states.

    Raises:
        ValueError: It is neither polygons nor RLE.
    """
    if isinstance(segmentation, dict):
        return decode_rle(segmentation)
    polygons = [p for p in as_polygons(segmentation) if len(p) >= 6]
    if not polygons:
        raise ValueError("no polygon has three corners")
    return decode_rle(polygons_to_rle(polygons, size))


def as_polygons(segmentation: Any) -> list[np.ndarray]:
    """Returns polygons as arrays `[x, y, x, y, ...]`.

    Args:
        segmentation: A list of flat polygons, one flat polygon, a list of points
            `[x, y]` or `{"x": x, "y": y}`, or a list of such lists.

    Raises:
        ValueError: It has none of these forms.
    """
    if not isinstance(segmentation, list | tuple):
        raise ValueError(f"no polygons: {type(segmentation).__name__}")
    single = segmentation and (
        _is_flat(segmentation) or all(_is_point(p) for p in segmentation)
    )
    polygons = [segmentation] if single else segmentation
    return [np.asarray(_plain(p), np.float64).reshape(-1) for p in polygons]


def _is_flat(values: Any) -> bool:
    return all(isinstance(v, int | float | str) for v in values)


def _is_point(values: Any) -> bool:
    if isinstance(values, list | tuple):
        return len(values) == 2 and _is_flat(values)
    return _is_dict_point(values)


def _plain(polygon: Any) -> Any:
    """Returns a polygon whose points are lists."""
    if isinstance(polygon, list | tuple):
        return [[p["x"], p["y"]] if _is_dict_point(p) else p for p in polygon]
    return polygon


def _is_dict_point(values: Any) -> bool:
    return isinstance(values, dict) and values.keys() >= {"x", "y"}


def polygons_to_rle(polygons: Sequence[Any], size: tuple[int, int]) -> Rle:
    """Returns the RLE of the union of polygons `[x, y, x, y, ...]` in pixels."""
    from hotcoco import mask

    if any(len(p) % 2 for p in polygons):
        raise ValueError("a polygon with an odd number of coordinates")
    lists = [np.asarray(p, np.float64).tolist() for p in polygons]
    if not all(np.isfinite(p).all() for p in lists):
        raise ValueError("a polygon with a coordinate that is not finite")
    return mask.merge(mask.frPyObjects(lists, *size))


def decode_rle(rle: Rle) -> np.ndarray:
    """Returns the mask of an RLE, compressed or not.

    Raises:
        ValueError: The counts do not cover the size.
    """
    from hotcoco import mask

    counts, (height, width) = rle["counts"], rle["size"]
    if int(height) * int(width) > max_image_pixels():
        raise ValueError(f"the size of a mask cannot be {height} x {width}")
    if isinstance(counts, (list, tuple, np.ndarray)):
        return _decode_counts(np.asarray(counts, np.int64), height, width)
    if isinstance(counts, str):
        counts = counts.encode()
    decoded = mask.decode({"size": [int(height), int(width)], "counts": counts})
    return np.ascontiguousarray(decoded)


def _decode_counts(counts: np.ndarray, height: int, width: int) -> np.ndarray:
    if (counts < 0).any() or counts.sum() != height * width:
        raise ValueError(
            f"run lengths sum to {counts.sum()}, not to {height} x {width}"
        )
    values = (np.arange(len(counts)) % 2).astype(np.uint8)
    columns = np.repeat(values, counts).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def encode_rle(mask: np.ndarray) -> Rle:
    """Returns the compressed RLE of a mask, its counts as str for JSON."""
    from hotcoco import mask as coco

    rle = coco.encode(np.asfortranarray(mask, np.uint8))
    counts = rle["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    return {"size": [int(side) for side in mask.shape], "counts": counts}


def decode_png_mask(data: bytes) -> np.ndarray:
    """Returns the mask of a PNG: 1 wherever the gray value is above 0.

    The alpha channel is the mask of an image of a single color.

    Raises:
        ValueError: The bytes are no image, or one with too many pixels.
    """
    image = None
    if data:
        check_pixels(data, read_header(data), "mask", None)
        flags = cv2.IMREAD_UNCHANGED
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise ValueError("no PNG")
    if image.ndim == 3:  # A palette or RGB mask: any color counts.
        image = _color_or_alpha(image)
    return (image > 0).astype(np.uint8)


def _color_or_alpha(image: np.ndarray) -> np.ndarray:
    """Returns the brightest channel, or alpha if only alpha varies."""
    color = image[..., :3].max(-1)
    alpha = image[..., 3] if image.shape[-1] == 4 else None
    if alpha is None or alpha.min() == alpha.max() or color.min() != color.max():
        return color
    return alpha


def encode_png_mask(mask: np.ndarray) -> bytes:
    """Returns a mask as a gray PNG with the values 0 and 1, as the original writes."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(mask, np.uint8))
    if not done:
        raise ValueError(f"a mask of shape {mask.shape} cannot be written as PNG")
    return data.tobytes()


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask at (height, width), with nearest-neighbor interpolation."""
    if mask.shape == tuple(size):
        return mask
    return cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
