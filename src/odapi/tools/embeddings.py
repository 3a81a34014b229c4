"""Embeddings of detections, the rows of a memory bank.

Source: the original's dataset_tools/context_rcnn/generate_embedding_data.py.
"""

import dataclasses
import datetime
from collections.abc import Callable

import numpy as np

from odapi.tools import records
from odapi.tools.finder import FINAL, Find, load_finder

# Numbers that follow the feature of a box in a row: box and date.
NUM_BOX_AND_DATE = 9
_EPOCH = datetime.datetime(1970, 1, 1)


def embed_date(date: datetime.datetime) -> np.ndarray:
    """Returns a date as five numbers: year, month, day, hour, minute.

    Years from 1990 to 2030 are mapped to 0 to 1; the others are divided by their
    maximum.
    """
    return np.array(
        [
            (date.year - 1990) / 40.0,
            (date.month - 1) / 12.0,
            (date.day - 1) / 31.0,
            date.hour / 24.0,
            date.minute / 60.0,
        ]
    )


def embed_box(box: np.ndarray) -> np.ndarray:
    """Returns center, width and height `[x, y, w, h]` of `[y0, x0, y1, x1]`."""
    y_min, x_min, y_max, x_max = box
    width, height = x_max - x_min, y_max - y_min
    return np.array([x_min + width / 2.0, y_min + height / 2.0, width, height])


def embedded_rows(count: int, top: int, bottom: int) -> list[int]:
    """Returns the indices of the detections to embed, of `count` sorted by score.

    >>> embedded_rows(5, 2, 1)
    [0, 1, 4]
    """
    best = list(range(min(count, top)))
    return best + list(range(count - 1, max(-1, count - 1 - bottom), -1))


@dataclasses.dataclass(frozen=True)
class Embed:
    """Adds embeddings of detections to a tf.Example. Picklable.

    Args:
        model: See `load_finder`.
        top, bottom: Number of best and of worst detections.
        kind: A key of `finder.FEATURES`.
        load: Loads the model, given its path and the kind.
    """

    model: str
    top: int = 1
    bottom: int = 0
    kind: str = FINAL
    load: Callable[[str, str], Find] = load_finder

    def __call__(self, record: bytes) -> bytes:
        """Returns the tf.Example with `image/embedding` and its related features.

        An image without detections gets no embedding; the original embeds the padding
        of detections.

        Raises:
            ValueError: The date is missing, or the image is missing or damaged.
        """
        example = records.parse(record)
        date = records.date_captured(example)
        found = self.load(self.model, self.kind)(record)
        features = found["features"]
        rows, scores = [], []
        for index in embedded_rows(len(found["scores"]), self.top, self.bottom):
            pooled = features[index].mean(axis=(0, 1))
            place = embed_box(found["boxes"][index])
            rows.append(np.concatenate([pooled, place, embed_date(date)]))
            scores.append(found["scores"][index])
        seconds = (date - _EPOCH).total_seconds()
        records.put(example, "image/unix_time", [seconds], float)
        flat = np.concatenate(rows).tolist() if rows else []
        records.put(example, "image/embedding", flat, float)
        records.put(example, "image/embedding_score", scores, float)
        length = features.shape[-1] + NUM_BOX_AND_DATE
        records.put(example, "image/embedding_length", [length], int)
        records.put(example, "image/embedding_count", [len(rows)], int)
        return example.SerializeToString()
