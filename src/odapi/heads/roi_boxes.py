"""Box head of Faster R-CNN: class logits and box codes from RoI features."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class RoiBoxOptions:
    """Outputs of `RoiBoxes`.

    Args:
        num_classes: Number of classes, without the background.
        code_size: Numbers per encoded box.
        share_boxes: One box for all classes instead of one per class.
        dropout: Dropout rate of the features.
    """

    num_classes: int
    code_size: int = 4
    share_boxes: bool = False
    dropout: float = 0.0

    def __post_init__(self):
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if self.num_classes < 1 or self.code_size < 1:
            raise ValueError(
                f"num_classes and code_size must be 1 or more, got {self.num_classes} "
                f"and {self.code_size}"
            )

    @property
    def num_boxes(self) -> int:
        """Number of boxes per RoI."""
        return 1 if self.share_boxes else self.num_classes


class RoiBoxes(keras.layers.Layer):
    """Predicts class logits and box codes of RoIs.

    Variables are `class/{kernel,bias}` and `box/{kernel,bias}`, and those of
    `class_norm` and `box_norm` if there are norms.

    Args:
        options: Outputs of the head.
        hyperparams: Hyperparams of both layers. The TF2 code of the original uses only
            their norm, with Glorot initialization and no regularization, as all
            published configs set.

    Source: Girshick 2015 (https://arxiv.org/abs/1504.08083), section 2.
    """

    def __init__(self, options: RoiBoxOptions, hyperparams: Hyperparams, **kwargs):
        super().__init__(**kwargs)
        self.options = options
        self.classes = hyperparams.dense(
            options.num_classes + 1, f"{self.name}/class", "float32"
        )
        self.class_norm = hyperparams.norm_layer("class_norm")
        self.boxes = hyperparams.dense(
            options.num_boxes * options.code_size, f"{self.name}/box", "float32"
        )
        self.box_norm = hyperparams.norm_layer("box_norm")
        # Separate dropout masks, as in the original.
        self.drops = [
            keras.layers.Dropout(
                options.dropout, seed=hyperparams.seed + n, name=f"dropout_{n}"
            )
            for n in range(2)
        ]

    def build(self, input_shape: Sequence):
        """Creates the variables, for features `[n, h, w, d]`."""
        shape = (None, input_shape[-1])
        for dense, norm in (
            (self.classes, self.class_norm),
            (self.boxes, self.box_norm),
        ):
            dense.build(shape)
            norm.build((None, 1, 1, dense.units))
        for drop in self.drops:
            drop.build(shape)

    def call(self, features: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns class logits and box codes, float32.

        Args:
            features: `[n, h, w, d]`, averaged over h and w.
            training: Whether dropout is active and norms use the batch statistics.

        Returns:
            `[n, num_classes + 1]`, the background first, and
            `[n, num_classes, code_size]`, or `[n, 1, code_size]` if boxes are shared.
        """
        means = ops.mean(ops.cast(features, "float32"), axis=(1, 2))
        classes, boxes = (
            self._predict(dense, norm, drop(means, training=training), training)
            for dense, norm, drop in zip(
                (self.classes, self.boxes),
                (self.class_norm, self.box_norm),
                self.drops,
                strict=True,
            )
        )
        shape = (-1, self.options.num_boxes, self.options.code_size)
        return classes, ops.reshape(boxes, shape)

    def _predict(self, dense, norm, means, training: bool):
        values = dense(means)
        if isinstance(norm, keras.layers.Identity):
            return values
        values = norm(values[:, None, None, :], training=training)
        return ops.cast(values[:, 0, 0, :], "float32")
