"""Keys of the original's checkpoints, of any detector."""

from typing import Any

from odapi.models.center.center_net import CenterNet
from odapi.models.single_stage.anchor_detector import AnchorDetector
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.zoo.names.center_net_keys import center_net_keys
from odapi.zoo.names.rcnn_keys import rcnn_keys
from odapi.zoo.names.ssd_keys import ssd_keys


def detector_keys(detector: Any) -> dict[str, str]:
    """Returns the original's key of each weight, by our name.

    Args:
        detector: Built; its names are those of `named_variables`.

    Raises:
        TypeError: It, or a part of it, is not one of the original's.
    """
    for kind, keys in _KEYS.items():
        if isinstance(detector, kind):
            return keys(detector)  # type: ignore[operator]
    raise TypeError(f"no names of the original are known for {type(detector).__name__}")


_KEYS = {
    AnchorDetector: ssd_keys,
    CenterNet: center_net_keys,
    FasterRCNN: rcnn_keys,
}
