"""Box coders: boxes <-> regression codes relative to anchors.

A coder has `code_size`, `encode(boxes, anchors)` and `decode(codes, anchors)`;
boxes and anchors broadcast against each other.
"""

import dataclasses
from typing import Protocol

from keras import ops

from odapi.geometry import boxes as geometry
from odapi.structures import Tensor
from odapi.wording import counted

# Added to sides before division and logarithm, as in the original: padding has no
# area.
_EPSILON = 1e-8

# Caps exp() in `decode`, so that an untrained or diverging model returns large boxes
# instead of infinite ones. The original does not cap. No trained model reaches the cap:
# the box would be 5e8 anchors high, and with the usual scale of 5 its code above 100.
# Areas still fit into float32.
_MAX_LOG_SCALE = 20.0


class BoxCoder(Protocol):
    """Interface of all box coders."""

    @property
    def code_size(self) -> int:
        """Number of values per box code."""

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Returns codes `[..., code_size]` of `boxes` given `anchors [..., 4]`."""

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Returns boxes; the inverse of `encode`."""


@dataclasses.dataclass(frozen=True)
class CenterSizeCoder:
    """Encodes a box as center shift and log size ratio relative to an anchor.

    `[ty, tx, th, tw] = scales * [dy / ha, dx / wa, log(h / ha), log(w / wa)]`,
    with `dy, dx` the shift of the center and `ha, wa` the size of the anchor.

    Args:
        scales: Factors of `ty, tx, th, tw`, each > 0.

    Source: Ren et al. 2015 (https://arxiv.org/abs/1506.01497), section 3.1.2.
    """

    scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)

    def __post_init__(self) -> None:
        _check_scales(self.scales, 4)

    @property
    def code_size(self) -> int:
        """Number of values per box code."""
        return 4

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Returns codes `[..., 4]` of `boxes [..., 4]` given `anchors [..., 4]`."""
        center, size = geometry.center_size(boxes)
        anchor_center, anchor_size = geometry.center_size(anchors)
        anchor_size = anchor_size + _EPSILON
        shift = (center - anchor_center) / anchor_size
        log_ratio = ops.log((size + _EPSILON) / anchor_size)
        return ops.concatenate([shift, log_ratio], axis=-1) * _constant(self.scales)

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Returns boxes `[..., 4]`; the inverse of `encode` up to the size cap."""
        codes = codes / _constant(self.scales)
        anchor_center, anchor_size = geometry.center_size(anchors)
        center = codes[..., :2] * anchor_size + anchor_center
        size = anchor_size * _exp(codes[..., 2:])
        return geometry.from_center_size(center, size)


@dataclasses.dataclass(frozen=True)
class KeypointCoder:
    """Encodes a box with its keypoints, as shifts from the center of the anchor.

    Boxes are `[..., 4 + 2 * num_keypoints]`: the box, then (y, x) of each keypoint.
    Codes are `[ty, tx, th, tw, ky, kx, ...]`, keypoints scaled like `ty, tx`.

    Args:
        num_keypoints: Number of keypoints per box.
        scales: Factors of `ty, tx, th, tw`, each > 0.
    """

    num_keypoints: int
    scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)

    def __post_init__(self) -> None:
        _check_scales(self.scales, 4)
        if self.num_keypoints < 0:
            raise ValueError(f"num_keypoints must be >= 0, got {self.num_keypoints}")

    @property
    def code_size(self) -> int:
        """Number of values per code of a box with its keypoints."""
        return 4 + 2 * self.num_keypoints

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Returns codes `[..., code_size]`; unlabeled (NaN) keypoints stay NaN."""
        codes = CenterSizeCoder(self.scales).encode(boxes[..., :4], anchors)
        center, size = self._frame(anchors)
        scale = _constant(self.scales[:2] * self.num_keypoints)
        shift = (boxes[..., 4:] - center) / (size + _EPSILON) * scale
        return ops.concatenate([codes, shift], axis=-1)

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Returns boxes with keypoints `[..., code_size]`."""
        boxes = CenterSizeCoder(self.scales).decode(codes[..., :4], anchors)
        center, size = self._frame(anchors)
        shift = codes[..., 4:] / _constant(self.scales[:2] * self.num_keypoints)
        return ops.concatenate([boxes, shift * size + center], axis=-1)

    def _frame(self, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """Returns center and size of anchors, repeated per keypoint."""
        center, size = geometry.center_size(anchors)
        n = self.num_keypoints
        center, size = (
            ops.concatenate([p] * n, axis=-1) if n else p[..., :0]
            for p in (center, size)
        )
        return center, size


@dataclasses.dataclass(frozen=True)
class MeanStddevCoder:
    """Encodes the corners of a box as differences from those of the anchor.

    Args:
        stddev: Divides the differences, > 0.

    Source: Szegedy et al. 2014 (https://arxiv.org/abs/1412.1441), MultiBox.
    """

    stddev: float = 0.01

    def __post_init__(self) -> None:
        if not self.stddev > 0:
            raise ValueError(f"stddev must be > 0, got {self.stddev}")

    @property
    def code_size(self) -> int:
        """Number of values per box code."""
        return 4

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Returns codes `[..., 4]` of `boxes [..., 4]` given `anchors [..., 4]`."""
        return (boxes - anchors) / self.stddev

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Returns boxes `[..., 4]`; the inverse of `encode`."""
        return codes * self.stddev + anchors


@dataclasses.dataclass(frozen=True)
class SquareCoder:
    """Encodes a box as the square of the same area around the same center.

    `[ty, tx, tl] = scales * [dy / la, dx / la, log(l / la)]`, with `l` and `la` the
    square roots of the areas of box and anchor.

    Args:
        scales: Factors of `ty, tx, tl`, each > 0.
    """

    scales: tuple[float, float, float] = (10.0, 10.0, 5.0)

    def __post_init__(self) -> None:
        _check_scales(self.scales, 3)

    @property
    def code_size(self) -> int:
        """Number of values per box code."""
        return 3

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Returns codes `[..., 3]` of `boxes [..., 4]` given `anchors [..., 4]`."""
        center, size = geometry.center_size(boxes)
        anchor_center, anchor_size = geometry.center_size(anchors)
        anchor_length = _length(anchor_size) + _EPSILON
        shift = (center - anchor_center) / anchor_length
        log_ratio = ops.log((_length(size) + _EPSILON) / anchor_length)
        return ops.concatenate([shift, log_ratio], axis=-1) * _constant(self.scales)

    def decode(self, codes: Tensor, anchors: Tensor) -> Tensor:
        """Returns square boxes `[..., 4]`."""
        codes = codes / _constant(self.scales)
        anchor_center, anchor_size = geometry.center_size(anchors)
        anchor_length = _length(anchor_size)
        center = codes[..., :2] * anchor_length + anchor_center
        return geometry.from_center_size(center, anchor_length * _exp(codes[..., 2:]))


def _length(size: Tensor) -> Tensor:
    """Returns the side `[..., 1]` of the square with the area of `size [..., 2]`."""
    return ops.sqrt(ops.maximum(size[..., :1] * size[..., 1:], 0.0))


def _exp(log_ratio: Tensor) -> Tensor:
    return ops.exp(ops.minimum(log_ratio, _MAX_LOG_SCALE))


def _constant(values: tuple[float, ...]) -> Tensor:
    return ops.convert_to_tensor(values, dtype="float32")


def _check_scales(scales: tuple[float, ...], number: int) -> None:
    if len(scales) != number or min(scales) <= 0:
        raise ValueError(
            f"scales must be {counted(number, 'number')} > 0, got {scales}"
        )
