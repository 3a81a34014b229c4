"""Mask head of Mask R-CNN: mask logits from RoI features."""

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.resample import align_corners_weights, repeat_weights
from odapi.structures import Tensor

# Weights of the number of classes and of channels in an automatic depth.
_CLASS_SHARE, _CHANNEL_SHARE = 3.0, 2.0
_SIDE = 3  # Kernel size of all convolutions.


@dataclasses.dataclass(frozen=True)
class RoiMaskOptions:
    """Outputs and layers of `RoiMasks`.

    Args:
        num_classes: Number of classes, without the background.
        size: Rows and columns of a mask.
        num_layers: Number of convolutions, including the one that predicts.
        depth: Channels of the convolutions; 0: computed from the channels of the
            features and the number of classes.
        class_agnostic: One mask for all classes instead of one per class.
        upsample_last: Whether features are convolved, then repeated to the size of a
            mask and convolved once more; otherwise they are first resized to it.
    """

    num_classes: int
    size: tuple[int, int] = (15, 15)
    num_layers: int = 2
    depth: int = 256
    class_agnostic: bool = False
    upsample_last: bool = False

    def __post_init__(self):
        if min(*self.size, self.num_layers, self.num_classes) < 1 or self.depth < 0:
            raise ValueError(
                "mask_height, mask_width, mask_prediction_num_conv_layers and "
                "num_classes must be 1 or more, mask_prediction_conv_depth 0 or more: "
                f"{self}"
            )

    @property
    def num_masks(self) -> int:
        """Number of masks per RoI."""
        return 1 if self.class_agnostic else self.num_classes

    def depth_for(self, channels: int) -> int:
        """Returns the channels of the convolutions, for features of `channels`."""
        if self.depth:
            return self.depth
        total = _CLASS_SHARE * math.log2(self.num_classes)
        total += _CHANNEL_SHARE * math.log2(channels)
        return 2 ** round(total / (_CLASS_SHARE + _CHANNEL_SHARE))


class RoiMasks(keras.layers.Layer):
    """Predicts the mask of the object in each RoI.

    Layers are `conv_0` and so on, `upsample` if `upsample_last` is set, their norms
    `conv_0_norm` and so on, if any, and `predict`.

    Args:
        options: Outputs and layers.
        hyperparams: Hyperparams of all layers.

    Source: He et al. 2017 (https://arxiv.org/abs/1703.06870), section 3; the
    original's `predictors/heads/keras_mask_head.py`.
    """

    def __init__(self, options: RoiMaskOptions, hyperparams: Hyperparams, **kwargs):
        super().__init__(**kwargs)
        self.options = options
        self.hyperparams = hyperparams
        self.scaled = 0  # Index of the convolution whose inputs are resized.
        self.convs: list[keras.layers.Layer] = []
        self.norms: list[keras.layers.Layer] = []
        self.scaling: tuple[np.ndarray, np.ndarray] = (np.eye(1), np.eye(1))

    def build(self, input_shape: Sequence):
        """Creates the variables, for features `[n, h, w, d]`.

        Raises:
            ValueError: The mask size is no multiple of that of repeated features.
        """
        options, make = self.options, self.hyperparams
        _, height, width, channels = input_shape
        depth = options.depth_for(channels)
        names = [f"conv_{n}" for n in range(options.num_layers - 1)]
        cells = align_corners_weights
        if options.upsample_last:
            names, cells = [*names, "upsample"], repeat_weights
            self.scaled = len(names) - 1
        self.scaling = cells(height, options.size[0]), cells(width, options.size[1])
        path = self.name
        self.convs = [make.conv(depth, _SIDE, f"{path}/{name}") for name in names]
        self.norms = [make.norm_layer(f"{name}_norm") for name in names]
        self.predict = make.conv(
            options.num_masks, _SIDE, f"{path}/predict", use_bias=True, dtype="float32"
        )
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build((None, height, width, channels))
            channels = depth
            norm.build((None, height, width, channels))
        self.predict.build((None, *options.size, channels))

    @property
    def steps(self) -> list[keras.layers.Layer]:
        """The layers in the original's order, including those without weights."""
        steps: list[keras.layers.Layer] = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            if conv.name == "upsample":
                steps.append(keras.layers.Identity(name="scaling"))
            steps += [conv, norm, self.hyperparams.activation_layer("activation")]
        return [*steps, self.predict]

    def call(
        self, features: Tensor, classes: Tensor | None = None, training: bool = False
    ) -> Tensor:
        """Returns the mask logits, float32.

        Args:
            features: `[n, h, w, d]`.
            classes: `[n]` int32, 0-based: the class per RoI whose mask is returned,
                which is much faster. None: masks of all classes.
            training: Whether norms use the statistics of the batch.

        Returns:
            `[n, num_masks, rows, columns]`; with `classes` `[n, rows, columns]`.
        """
        x = ops.cast(features, self.compute_dtype)
        for n, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = _scaled_conv(x, conv, *self.scaling) if n == self.scaled else conv(x)
            x = self.hyperparams.activate(norm(x, training=training))
        if not self.convs:
            x = _scaled(x, *self.scaling)
        x = ops.cast(x, "float32")
        if classes is None:
            return ops.transpose(self.predict(x), (0, 3, 1, 2))
        if self.options.class_agnostic:
            return self.predict(x)[..., 0]
        return _conv_of_class(x, classes, self.predict.kernel, self.predict.bias)


def _scaled(x: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """Returns `x [n, h, w, d]` resized to `[n, H, W, d]`, by weights `[H, h]`."""
    _, height, width, depth = x.shape
    rows, columns = (ops.convert_to_tensor(m, dtype=x.dtype) for m in (rows, columns))
    x = ops.matmul(columns, ops.reshape(x, (-1, width, depth)))
    x = ops.matmul(rows, ops.reshape(x, (-1, height, columns.shape[0] * depth)))
    return ops.reshape(x, (-1, rows.shape[0], columns.shape[0], depth))


def _scaled_conv(
    x: Tensor, conv: keras.layers.Layer, rows: np.ndarray, columns: np.ndarray
) -> Tensor:
    """Returns the convolution of the resized `x`.

    Both operations are linear: the small map is multiplied with the kernel first, and
    the products of the nine kernel positions are resized and shifted. This saves work
    in proportion to the scale factor.

    Args:
        x: `[n, h, w, c]`.
        conv: Convolution of 3 x 3 with "same" padding.
        rows, columns: Resize weights `[H, h]` and `[W, w]`.

    Returns:
        `[n, H, W, d]`.
    """
    _, height, width, channels = x.shape
    kernel = ops.cast(conv.kernel, x.dtype)  # [3 rows, 3 columns, c, d]
    depth = kernel.shape[-1]
    kernel = ops.reshape(ops.transpose(kernel, (2, 1, 0, 3)), (channels, -1))
    x = ops.matmul(ops.reshape(x, (-1, channels)), kernel)
    # Sums over columns and kernel columns; kernel rows follow below.
    x = ops.reshape(x, (-1, width * _SIDE, _SIDE * depth))
    x = ops.matmul(_shifted(columns, x.dtype), x)
    count = columns.shape[0]
    x = ops.reshape(x, (-1, height, count, _SIDE, depth))
    x = ops.transpose(x, (0, 1, 3, 2, 4))
    x = ops.reshape(x, (-1, height * _SIDE, count * depth))
    x = ops.matmul(_shifted(rows, x.dtype), x)
    x = ops.reshape(x, (-1, rows.shape[0], count, depth))
    return x if conv.bias is None else x + ops.cast(conv.bias, x.dtype)


def _shifted(cells: np.ndarray, dtype: str) -> Tensor:
    """Returns resize weights per kernel position, `[H, h * 3]`."""
    padded = np.pad(cells, ((1, 1), (0, 0)))
    places = [padded[place : place + len(cells)] for place in range(_SIDE)]
    table = np.stack(places, axis=-1).reshape(len(cells), -1)
    return ops.convert_to_tensor(table.astype("float32"), dtype=dtype)


def _conv_of_class(x: Tensor, classes: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Returns one filter of a convolution per map, `[n, h, w]` of `x [n, h, w, d]`.

    Args:
        x: Maps.
        classes: `[n]` int32, index of the filter.
        kernel: `[3, 3, d, filters]`, applied with "same" padding.
        bias: `[filters]`.
    """
    _, height, width, depth = x.shape
    places = _SIDE * _SIDE
    kernel = ops.reshape(kernel, (places, depth, -1))
    own = ops.take(ops.transpose(kernel, (2, 1, 0)), classes, axis=0)  # [n, d, 9]
    x = ops.matmul(ops.reshape(x, (-1, height * width, depth)), own)
    x = ops.reshape(x, (-1, height, width, places))
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    total = ops.take(bias, classes)[:, None, None]
    for place in range(places):
        top, left = divmod(place, _SIDE)
        total = total + x[:, top : top + height, left : left + width, place]
    return total
