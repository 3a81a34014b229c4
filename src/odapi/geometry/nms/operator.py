"""NMS by an operator of an exported format, instead of loops.

Runtimes of exported models run their own NMS operator much faster than a loop of small
operations, and some cannot read such a loop at all. An exporter traces the detector
within `use_operator`; nothing else in the library is affected.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Protocol

from odapi.geometry.nms.greedy import NmsCandidates
from odapi.structures import Tensor


class NmsOperator(Protocol):
    """Greedy NMS among candidates."""

    def __call__(
        self,
        candidates: NmsCandidates,
        active: Tensor,
        iou_threshold: float,
        max_per_group: int,
        num_groups: int,
    ) -> Tensor:
        """Returns `[b, k]` bool: the kept candidates.

        Args:
            candidates: Boxes, best first; groups are below `num_groups`.
            active: `[b, k]` bool, False for padding.
            iou_threshold: In [0, 1].
            max_per_group: Maximum number of boxes to keep of a group.
            num_groups: Number of groups.
        """


_OPERATOR: contextvars.ContextVar[NmsOperator | None] = contextvars.ContextVar(
    "nms_operator", default=None
)


@contextlib.contextmanager
def use_operator(operator: NmsOperator) -> Iterator[None]:
    """Runs NMS by an operator within the context."""
    token = _OPERATOR.set(operator)
    try:
        yield
    finally:
        _OPERATOR.reset(token)


def nms_operator() -> NmsOperator | None:
    """Returns the operator of the context; None: NMS runs in `keras.ops`."""
    return _OPERATOR.get()
