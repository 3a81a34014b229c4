"""Conversion of class logits to scores."""

import dataclasses
from typing import Literal

from keras import ops

from odapi.models.calibration import Calibration
from odapi.structures import Tensor

Kind = Literal["identity", "sigmoid", "softmax"]


@dataclasses.dataclass(frozen=True)
class ScoreConverter:
    """Converts logits `[..., classes]` to scores.

    Args:
        kind: "identity", "sigmoid" per class, or "softmax" over all classes.
        logit_scale: Divisor of the logits, > 0.
        calibration: Calibration of the logits or of the scores.
    """

    kind: Kind = "identity"
    logit_scale: float = 1.0
    calibration: Calibration | None = None

    def __post_init__(self):
        if not self.logit_scale > 0:
            raise ValueError(f"logit_scale must be > 0, got {self.logit_scale}")

    @property
    def is_monotonic(self) -> bool:
        """True if it is elementwise and monotonically non-decreasing."""
        calibrated = self.calibration is None or self.calibration.is_monotonic
        return self.kind != "softmax" and calibrated

    def __call__(self, logits: Tensor) -> Tensor:
        """Returns scores of the same shape."""
        calibration = self.calibration
        if calibration is not None and calibration.on_logits:
            logits = calibration(logits)
        if self.logit_scale != 1.0:
            logits = logits / self.logit_scale
        if self.kind == "sigmoid":
            logits = ops.sigmoid(logits)
        elif self.kind == "softmax":
            logits = ops.softmax(logits, axis=-1)
        if calibration is not None and not calibration.on_logits:
            logits = calibration(logits)
        return logits
