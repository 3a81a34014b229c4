"""Context R-CNN: Faster R-CNN with attention to temporal context (a memory bank)."""

from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.context_attention import ContextAttention
from odapi.models.detector import Inputs
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.models.two_stage.rois import flatten_rois, unflatten_rois
from odapi.runtime.keras_objects import PACKAGE
from odapi.structures import Tensor

# Inputs besides the images, by the original's names.
CONTEXT, SIZE = "context_features", "valid_context_size"


@keras.saving.register_keras_serializable(PACKAGE)
class ContextRCNN(FasterRCNN):
    """Faster R-CNN whose RoI features attend to a memory bank of other images.

    Two further inputs are optional: `context_features [b, n, d]` float32 and
    `valid_context_size [b]` int32, the number of valid rows per bank. Without them
    every bank is empty. The features of detections, from which banks are built, do
    not depend on a bank.

    Args:
        args: As for `FasterRCNN`.
        attention: Attention of RoIs to the bank.
        bank: Number of rows of a memory bank, and their length.
        before_features: Whether context is added to the crops of RoIs instead of
            their features.
        kwargs: As for `FasterRCNN`.

    Source: Beery et al. 2020 (https://arxiv.org/abs/1912.03538); the original's
    `meta_architectures/context_rcnn_meta_arch.py`.
    """

    def __init__(
        self,
        *args,
        attention: ContextAttention,
        bank: tuple[int, int],
        before_features: bool = False,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.context_attention = attention
        self.before_features = before_features
        self.side_inputs = {CONTEXT: (tuple(bank), "float32"), SIZE: ((), "int32")}

    def build_second_stage(self, maps: Sequence[tuple]) -> None:
        """Creates the variables of the second stage, for the shapes of the maps."""
        super().build_second_stage(maps)
        shape = (None, *self.parts.pooler.output_shape, maps[0][-1])
        if not self.before_features:
            shape = self.roi_features.compute_output_shape(shape)
        length = self.side_inputs[CONTEXT][0][1]
        self.context_attention.build((None, None, shape[-1]), (None, None, length))

    def pool_and_encode(
        self,
        maps: Sequence[Tensor],
        boxes: Tensor,
        inputs: Inputs,
        training: bool = False,
    ) -> Tensor:
        """Returns the features `[b, p, h, w, d]` of boxes `[b, p, 4]`."""
        crops = self.crop(maps, boxes, inputs)
        if self.before_features:
            crops = crops + self._context(crops, boxes, inputs, training)
            return self.box_head(crops, training)
        features = self.box_head(crops, training)
        return features + self._context(features, boxes, inputs, training)

    def _context(
        self, features: Tensor, boxes: Tensor, inputs: Inputs, training: bool
    ) -> Tensor:
        """Returns the context `[b, p, 1, 1, d]` of `features [b, p, h, w, d]`."""
        bank, size = self._bank(inputs, ops.shape(boxes)[0])
        real = ops.any(boxes != 0, axis=-1)  # Padding is zeros.
        pooled = unflatten_rois(
            ops.mean(flatten_rois(features), axis=(1, 2)), features.shape[1]
        )
        context = self.context_attention(pooled, bank, real, size, training=training)
        return ops.cast(context, features.dtype)[:, :, None, None]

    def _bank(self, inputs: Inputs, batch: int) -> tuple[Tensor, Tensor]:
        if CONTEXT in inputs:
            return inputs[CONTEXT], ops.cast(inputs[SIZE], "int32")
        length = self.side_inputs[CONTEXT][0][1]
        # Two rows: Keras warns about a softmax over one.
        return ops.zeros((batch, 2, length), "float32"), ops.zeros((batch,), "int32")
