"""Checkpoint keys of the original, for any detector."""

from odapi.models.center.center_net import CenterNet
from odapi.models.detector import Detector
from odapi.models.single_stage.anchor_detector import AnchorDetector
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.zoo.names.center_net_keys import center_net_keys
from odapi.zoo.names.rcnn_keys import rcnn_keys
from odapi.zoo.names.ssd_keys import ssd_keys


def detector_keys(detector: Detector) -> dict[str, str]:
    """Returns the original's key of each weight, by our name.

    Args:
        detector: Built detector; names are those of `named_variables`.

    Raises:
        TypeError: The detector or a part of it does not exist in the original.
    """
    for kind, keys in _KEYS.items():
        if isinstance(detector, kind):
            return keys(detector)  # type: ignore[operator]
    raise TypeError(
        f"there are no checkpoint keys of the original for {type(detector).__name__}"
    )


_KEYS = {
    AnchorDetector: ssd_keys,
    CenterNet: center_net_keys,
    FasterRCNN: rcnn_keys,
}
