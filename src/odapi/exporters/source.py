"""Source of an export: a detector with its resizer."""

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odapi.data.image.resize import Resizer
from odapi.errors import ConfigError

if TYPE_CHECKING:
    from odapi.models.detector import Detector


@dataclasses.dataclass(frozen=True)
class ExportSource:
    """A detector, and what several files of one export have in common.

    Args:
        detector: A built detector; its weights do not change meanwhile.
        resizer: Of the detector.
        calibration: Images uint8 `[h, w, c]` that the detector is meant for, on which
            ranges of activations are measured; empty if no precision needs them.
    """

    detector: "Detector"
    resizer: Resizer
    calibration: Sequence[np.ndarray] = ()
    _made: dict[Hashable, Any] = dataclasses.field(default_factory=dict, init=False)

    def calibration_images(self) -> Sequence[np.ndarray]:
        """Returns the images that ranges of activations are measured on.

        Raises:
            ConfigError: There are none.
        """
        if not len(self.calibration):
            raise ConfigError(
                "precision",
                "int8 needs images, on which ranges of activations are measured",
                hint="--calibration-data DATASET names some, such as the training data",
            )
        return self.calibration

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Returns a result that is made at the first call with this key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]
