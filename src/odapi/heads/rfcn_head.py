"""Head of R-FCN: position-sensitive maps and their RoI pooling.

Source: Dai et al. 2016 (https://arxiv.org/abs/1605.06409).
"""

import dataclasses
from collections.abc import Sequence

import keras
from keras import ops

from odapi.geometry.crop.roi_align import CropAndResize, crop_rois
from odapi.geometry.map_size import map_size
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.stack import Stack, conv_norm_activation
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class RfcnOptions:
    """Outputs of an `RfcnHead` and spatial bins of RoIs.

    Args:
        num_classes: Number of classes, without the background.
        bins: Rows and columns of spatial bins of an RoI, each with separate maps.
        crop: Rows and columns sampled per RoI, multiples of `bins`.
        depth: Channels of the hidden layer.
        code_size: Numbers per encoded box.
    """

    num_classes: int
    bins: tuple[int, int] = (3, 3)
    crop: tuple[int, int] = (12, 12)
    depth: int = 1024
    code_size: int = 4

    def __post_init__(self):
        if min(*self.bins, *self.crop, self.depth, self.code_size) < 1:
            raise ValueError(
                "num_spatial_bins_height and _width, crop_height and _width, depth and "
                f"box_code_size must be 1 or more: {self}"
            )
        for axis, crop, bins in zip(
            ("height", "width"), self.crop, self.bins, strict=True
        ):
            if crop % bins:
                raise ValueError(
                    f"crop_{axis} {crop} must be a multiple of num_spatial_bins_{axis} "
                    f"{bins}"
                )


class RfcnHead(keras.layers.Layer):
    """Predicts maps of the whole image and pools RoIs from them.

    Layers are `reduce` (convolution, norm and activation), `class` and `box`, and their
    norms `class_norm` and `box_norm`, if any.

    Args:
        options: Outputs and spatial bins.
        hyperparams: Hyperparams of all layers.
    """

    def __init__(self, options: RfcnOptions, hyperparams: Hyperparams, **kwargs):
        super().__init__(**kwargs)
        self.options = options
        parts = options.bins[0] * options.bins[1]

        def conv(filters, name):
            return hyperparams.conv(filters, 1, f"{self.name}/{name}")

        steps = conv_norm_activation(conv(options.depth, "conv"), hyperparams)
        self.reduce = Stack(steps, name="reduce", dtype=hyperparams.dtype)
        self.classes = conv(parts * (options.num_classes + 1), "class")
        self.class_norm = hyperparams.norm_layer("class_norm")
        self.boxes = conv(parts * options.num_classes * options.code_size, "box")
        self.box_norm = hyperparams.norm_layer("box_norm")

    def build(self, input_shape: Sequence):
        """Creates the variables, for maps `[b, h, w, c]`."""
        shape = tuple(input_shape)
        self.reduce.build(shape)
        shape = (*shape[:3], self.options.depth)
        for conv, norm in (
            (self.classes, self.class_norm),
            (self.boxes, self.box_norm),
        ):
            conv.build(shape)
            norm.build((*shape[:3], conv.filters))

    def call(
        self, maps: Tensor, boxes: Tensor, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Returns class logits and box codes, float32.

        Args:
            maps: `[b, h, w, c]`.
            boxes: `[b, p, 4]` normalized to the maps.
            training: Whether norms use the statistics of the batch.

        Returns:
            `[b * p, num_classes + 1]`, the background first, and
            `[b * p, num_classes, code_size]`.
        """
        options = self.options
        x = self.reduce(maps)
        classes, codes = (
            _means_of_bins(norm(conv(x), training=training), boxes, options)
            for conv, norm in (
                (self.classes, self.class_norm),
                (self.boxes, self.box_norm),
            )
        )
        shape = (-1, options.num_classes, options.code_size)
        return ops.reshape(classes, (-1, classes.shape[-1])), ops.reshape(codes, shape)


def _means_of_bins(maps: Tensor, boxes: Tensor, options: RfcnOptions) -> Tensor:
    """Returns position-sensitive average pooling of boxes, `[b, p, d]`.

    Args:
        maps: `[b, h, w, bins * d]`, the bins row by row.
        boxes: `[b, p, 4]`.
        options: Spatial bins of the boxes.
    """
    rows, columns = options.bins
    bins = rows * columns
    height, width = map_size(maps)
    depth = maps.shape[-1] // bins
    split = ops.reshape(ops.cast(maps, "float32"), (-1, height, width, bins, depth))
    # Each bin has separate maps, so that it is treated as a separate image.
    split = ops.reshape(
        ops.transpose(split, (0, 3, 1, 2, 4)), (-1, height, width, depth)
    )
    parts = ops.stack(
        [_bin(boxes, row, column, options.bins) for row in range(rows)
         for column in range(columns)],
        axis=1,
    )  # fmt: skip
    number = boxes.shape[1]
    size = (options.crop[0] // rows, options.crop[1] // columns)
    flat = ops.reshape(parts, (-1, number, 4))
    crops = crop_rois([split], flat, size, CropAndResize(zero_pad_border=True))
    means = ops.mean(crops, axis=(2, 3))  # [b * bins, p, d]
    return ops.mean(ops.reshape(means, (-1, bins, number, depth)), axis=1)


def _bin(boxes: Tensor, row: int, column: int, bins: tuple[int, int]) -> Tensor:
    """Returns one spatial bin of each box, `[b, p, 4]`."""
    y0, x0, y1, x1 = ops.unstack(boxes, 4, axis=-1)
    high, wide = (y1 - y0) / bins[0], (x1 - x0) / bins[1]
    top, left = y0 + row * high, x0 + column * wide
    return ops.stack([top, left, top + high, left + wide], axis=-1)
