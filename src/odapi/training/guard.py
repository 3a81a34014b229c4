"""Stops a training whose loss is lost, and says where to look."""

import math
from collections.abc import Mapping, Sequence

from odapi.errors import DivergedError, OdapiError
from odapi.losses.names import TOTAL_LOSS

# A loss this many times that of the first step never came back in practice.
_EXPLODED = 1000.0


class Guard:
    """Looks at the losses of every step.

    Args:
        reference: Total loss at the start, as `self.reference` of an earlier
            run; None takes that of the first step it sees.
    """

    def __init__(self, reference: float | None = None):
        self.reference = reference
        self._before: Sequence[str] = ()

    def lost(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Returns the parts of a step's losses that are lost; {} if none is."""
        parts = {n: v for n, v in losses.items() if n != TOTAL_LOSS}
        lost = {n: v for n, v in parts.items() if not math.isfinite(v)}
        total = losses.get(TOTAL_LOSS, 0.0)
        limit = _EXPLODED * max(self.reference or 0.0, 1.0)
        if lost or (math.isfinite(total) and (not self.reference or total <= limit)):
            return lost
        worst = max(parts, key=lambda n: abs(parts[n]), default=TOTAL_LOSS)
        return {worst: losses[worst]}

    def passed(self, losses: Mapping[str, float], image_ids: Sequence[str]) -> None:
        """Remembers a step that was all right."""
        self._before = image_ids
        if self.reference is None:
            self.reference = losses.get(TOTAL_LOSS)

    def error(
        self,
        step: int,
        losses: Mapping[str, float],
        image_ids: Sequence[str],
        learning_rate: float,
        saved: str,
    ) -> DivergedError:
        """Returns the error for a step whose losses are lost.

        Args:
            step: Counted from 1.
            losses: Of this step alone, by name.
            image_ids: Of this step's batch.
            learning_rate: Of this step.
            saved: The last checkpoint, or "" if there is none.
        """
        lost = self.lost(losses).items()
        what = " and ".join(f"{name} is {value:.4g}" for name, value in lost)
        problem = f"{what}; images of this step: {', '.join(image_ids)}"
        if self._before:  # Its gradients may have broken the weights.
            problem += f"; of the step before: {', '.join(self._before)}"
        return DivergedError(f"step {step}", problem, _advice(learning_rate, saved))


def lost_weight(step: int, name: str, learning_rate: float, saved: str) -> OdapiError:
    """Returns the error for a weight that is NaN or infinite before it is saved."""
    problem = f"the weight {name} is NaN or infinite; it is not saved"
    return DivergedError(f"step {step}", problem, _advice(learning_rate, saved))


def _advice(learning_rate: float, saved: str) -> str:
    kept = f"the last good checkpoint is {saved}" if saved else "nothing was saved yet"
    return (
        f"the learning rate is {learning_rate:.4g}: try a tenth of it, with a warm-up "
        "(published configs are made for large batches); or "
        "train_config.gradient_clipping_by_norm: 10; look at these images and their "
        f"boxes with `odapi data inspect`; {kept}"
    )
