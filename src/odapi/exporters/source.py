"""What is exported: a detector with its resizer."""

import dataclasses
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from odapi.data.image.resize import Resizer

if TYPE_CHECKING:
    from odapi.models.detector import Detector


@dataclasses.dataclass(frozen=True)
class ExportSource:
    """A detector, and what several files of one export have in common.

    Args:
        detector: A built detector; its weights do not change meanwhile.
        resizer: Of the detector.
    """

    detector: "Detector"
    resizer: Resizer
    _made: dict[Hashable, Any] = dataclasses.field(default_factory=dict, init=False)

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Returns a result that is made at the first call with this key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]
