"""What finds objects in plain images, wherever its weights came from.

Imports no Keras: running an exported model does not wait for it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from odapi.labels import LabelMap

Arrays = dict[str, Any]


class Predictor(Protocol):
    """Finds objects in images of any size."""

    label_map: LabelMap
    keypoint_edges: tuple[tuple[int, int], ...]  # To draw; empty: as usual.

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns what is found in each image, best first.

        Args:
            images: `[h, w, 3]` uint8 RGB, of any sizes.

        Returns:
            A dict an image: `boxes [n, 4]` normalised `[y_min, x_min, y_max, x_max]`
            of the image as given, `classes [n]` from 0, `scores [n]`; where the model
            finds them `keypoints [n, k, 2]` with `keypoint_scores [n, k]`, and
            `keypoint_depths [n, k]`.
        """
