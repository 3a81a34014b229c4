"""Near-duplicate images of two datasets, by a perceptual hash.

Finds images that were encoded again, resized, slightly changed in color, or mirrored,
and neighboring frames of a video. An image is a thumbnail of 16 x 16 pixels; its hash
has the signs of the 63 lowest frequencies of a cosine transform against their median.
Pairs of similar hashes are confirmed by the correlation of their thumbnails.

Source: Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions", section 3.2.1 (pHash).
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from odapi.data.set_checks import SetFinding
from odapi.wording import counted

_SIDE, _LOW = 16, 8  # Of a thumbnail, and of its low frequencies.
MAX_DISTANCE = 10  # Bits of 63.
MIN_CORRELATION = 0.95
_FLAT = 2.0  # Standard deviation of a thumbnail without content, such as black frames.
_BLOCK = 1 << 22  # Pairs of hashes that are compared at once.
CHECK = "near_duplicates"


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """An evaluation image that is nearly a training image.

    Args:
        image_id: Id of the evaluation image.
        other_id: Id of the most similar training image.
        distance: Bits in which their hashes differ, of 63.
        correlation: Of their thumbnails; 1: equal but for brightness and contrast.
        mirrored: Whether one is the other flipped left to right.
        index, other_index: Positions in their datasets.
    """

    image_id: str
    other_id: str
    distance: int
    correlation: float
    mirrored: bool
    index: int
    other_index: int


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Returns the thumbnail `[16, 16]` uint8 of an image `[h, w, 3]` RGB."""
    if image.ndim == 3 and image.shape[2] == 3:
        image = cv2.cvtColor(_reduced(image), cv2.COLOR_RGB2GRAY)
    elif image.ndim == 3:
        image = _reduced(image)[..., 0]
    return cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def _reduced(image: np.ndarray) -> np.ndarray:
    """Returns a smaller image: fewer pixels to convert to gray."""
    size = (min(image.shape[1], 8 * _SIDE), min(image.shape[0], 8 * _SIDE))
    small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return small.reshape(*small.shape[:2], -1)


def hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Returns the hashes `[n]` uint64 of thumbnails `[n, 16, 16]`."""
    pixels = np.asarray(thumbnails, np.float32).reshape(-1, _SIDE, _SIDE)
    angles = np.pi * (np.arange(_SIDE) + 0.5)[None] * np.arange(_LOW)[:, None] / _SIDE
    basis = np.cos(angles).astype(np.float32)  # [8, 16]
    low = (basis @ pixels @ basis.T).reshape(len(pixels), -1)[:, 1:]
    bits = low > np.median(low, axis=1, keepdims=True)
    return (bits.astype(np.uint64) << np.arange(63, dtype=np.uint64)).sum(
        1, dtype=np.uint64
    )


def find_near_duplicates(
    train: tuple[Sequence[str], np.ndarray],
    evaluation: tuple[Sequence[str], np.ndarray],
) -> list[NearDuplicate]:
    """Returns the evaluation images that are nearly training images, closest first.

    Args:
        train: Ids of the images, and their thumbnails `[n, 16, 16]`; those of images
            that could not be read are zeros, and never match.
        evaluation: The same.
    """
    ids, shown = evaluation
    other_ids, others = train
    if not len(shown) or not len(others):
        return []
    found: dict[int, NearDuplicate] = {}
    known = hashes(others)
    units, other_units = _unit(shown), _unit(others)
    for mirrored in (False, True):
        given = shown[:, :, ::-1] if mirrored else shown
        own_units = _unit(given) if mirrored else units
        rows, columns, bits = _close(hashes(given), known)
        similar = (own_units[rows] * other_units[columns]).sum(1)
        for i, j, distance, value in zip(rows, columns, bits, similar, strict=True):
            if value < MIN_CORRELATION:
                continue
            if i in found and found[i].correlation >= value:
                continue
            found[i] = NearDuplicate(
                ids[i], other_ids[j], int(distance), round(float(value), 4), mirrored,
                int(i), int(j),
            )  # fmt: skip
    return sorted(found.values(), key=lambda p: (-p.correlation, p.image_id))


def leakage(pairs: Sequence[NearDuplicate], total: int) -> list[SetFinding]:
    """Returns a finding about near-duplicates, if there are any.

    Args:
        pairs: The pairs.
        total: Number of evaluation images.
    """
    if not pairs:
        return []
    first = pairs[0]
    return [
        SetFinding(
            CHECK,
            f"{len(pairs)} of {counted(total, 'evaluation image')} "
            f"{'is' if len(pairs) == 1 else 'are'} nearly a training image, such as "
            f"{first.image_id} (there {first.other_id})",
            "metrics on them do not show how the detector does on new images; look at "
            "near_duplicates.png of --output and move such images to one part",
        )
    ]


def _unit(thumbnails: np.ndarray) -> np.ndarray:
    """Returns thumbnails `[n, 256]` of mean 0 and norm 1; flat ones are zeros."""
    flat = np.asarray(thumbnails, np.float32).reshape(len(thumbnails), -1)
    flat = flat - flat.mean(1, keepdims=True)
    norm = np.sqrt(np.square(flat).sum(1, keepdims=True))
    lowest = _FLAT * _SIDE
    return np.where(norm < lowest, 0, flat / np.maximum(norm, lowest))


def _close(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns rows, columns and distances of the pairs of similar hashes."""
    rows, columns, bits = [], [], []
    step = max(_BLOCK // len(second), 1)
    for start in range(0, len(first), step):
        block = first[start : start + step, None] ^ second[None]
        distance = np.bitwise_count(block)
        row, column = np.nonzero(distance <= MAX_DISTANCE)
        rows.append(row + start)
        columns.append(column)
        bits.append(distance[row, column])
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(bits)
