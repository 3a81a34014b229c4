"""Classes and boxes of regions of interest, from the features cut out of maps."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.structures import Tensor


@dataclasses.dataclass(frozen=True)
class RoiBoxOptions:
    """What is predicted of a region.

    Args:
        num_classes: Without the background.
        code_size: Numbers for a box.
        share_boxes: One box for all classes instead of one each.
        dropout: Share of the features that is dropped while training.
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
        """Boxes of a region."""
        return 1 if self.share_boxes else self.num_classes


class RoiBoxes(keras.layers.Layer):
    """Predicts the class of a region, and how its box differs from the object's.

    Variables are `class/{kernel,bias}` and `box/{kernel,bias}`; with a norm, those of
    `class_norm` and `box_norm` too.

    Args:
        options: What is predicted.
        hyperparams: Of both layers. The TF2 code of the original takes only the norm
            from them, and initial weights by Glorot without regularization, which is
            what all published configs say.

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
        # Each drops features of its own, as in the original.
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
        """Returns class logits and codes of boxes, float32.

        Args:
            features: `[n, h, w, d]`; their mean over h and w counts.
            training: Whether dropout drops, and norms use the statistics of the batch.

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
