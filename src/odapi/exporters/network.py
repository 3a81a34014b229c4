"""Exported networks that take resized images: all formats but the SavedModel."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

IMAGES = "input_tensor"
TRUE_SIZE = "true_size"

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """One input of a network.

    Args:
        dtype: Of NumPy, such as "uint8".
        shape: None where any size is accepted.
    """

    dtype: str
    shape: tuple[int | None, ...]


class Network(Protocol):
    """An exported network, loaded into the runtime of its format.

    Attributes:
        name: Path, for messages.
        inputs: By name: `input_tensor` `[b, h, w, c]`, resized images of 0 to 255;
            `true_size` int32 `[b, 2]`, their size without padding, if the resizer pads;
            side inputs of the detector.
        metadata: JSON text of `ModelInfo`; "" if the file has none.
        load_seconds: Duration of loading.
    """

    name: str
    inputs: dict[str, InputSpec]
    metadata: str
    load_seconds: float

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Returns the outputs by the original's names, with a batch dimension.

        Raises:
            CheckpointError: The runtime refuses the inputs, or fails.
        """
