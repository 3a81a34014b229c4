"""The contract of predictors: objects in plain images, wherever the weights are.

Imports no Keras, so that running an exported model does not wait for it.
"""

from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from odapi.labels import LabelMap

Arrays = dict[str, Any]


class Predictor(Protocol):
    """Finds objects in images of any size."""

    label_map: LabelMap
    keypoint_edges: tuple[tuple[int, int], ...]  # To draw; empty: by keypoint names.

    def __call__(self, images: Sequence[np.ndarray]) -> list[Arrays]:
        """Returns the objects of each image, best first.

        Args:
            images: `[h, w, 3]` uint8 RGB, of any sizes; `[h, w, num_channels]` if the
                predictor has an attribute of this name.

        Returns:
            One dict per image: `boxes [n, 4]` normalized `[y_min, x_min, y_max, x_max]`
            of the image as given, `classes [n]` from 0, `scores [n]`; if the model
            predicts them `box_masks [n, h, w]`, `keypoints [n, k, 2]` with
            `keypoint_scores [n, k]`, and `keypoint_depths [n, k]`.
        """


def channels_of(predictor: Any) -> int:
    """Returns the channels of the images that a predictor takes: 3, unless it says."""
    return getattr(predictor, "num_channels", 3)


@runtime_checkable
class SizedPredictor(Protocol):
    """A predictor whose model is compiled per batch size."""

    def with_batch_size(self, batch_size: int) -> Self:
        """Returns the predictor with another batch size; shares the model."""
