"""Attention of the boxes of an image over a memory bank (temporal context).

Optionally, boxes attend to each other, too (self-attention).

Source: Beery et al. 2020 (https://arxiv.org/abs/1912.03538); the original's
meta_architectures/context_rcnn_lib_tf2.py; and context_rcnn_lib.py for several heads,
several layers and self-attention, which the former does not support.
"""

import dataclasses
import itertools
from typing import Any

import keras
from keras import ops

from odapi.layers.initializers import GLOROT_UNIFORM, Constant, Initializer
from odapi.layers.norm import BatchNorm
from odapi.structures import Shape, Tensor

# Added to the attention logits of padding, before the temperature.
_MASKED_LOGIT = -100000.0
_TINY = 1e-12  # Minimum squared length of a vector that is normalized.


@dataclasses.dataclass(frozen=True)
class Attention:
    """Options of the attention.

    Args:
        bottleneck: Dimension of queries, keys and values.
        temperature: Divides the logits; near 0 only the best key has weight.
        long_term: Boxes attend to the memory bank.
        among_boxes: Self-attention: boxes attend to the boxes of the same image.
        in_sequence: Queries of the memory bank include the output of the
            self-attention.
        heads: Number of attention blocks whose outputs are averaged.
        layers: Number of layers; queries of a layer include the outputs of the layers
            before.

    Raises:
        ValueError: A number is out of range, or no attention is enabled.
    """

    bottleneck: int = 2048
    temperature: float = 0.01
    long_term: bool = True
    among_boxes: bool = False
    in_sequence: bool = False
    heads: int = 1
    layers: int = 1

    def __post_init__(self) -> None:
        for name in ("bottleneck", "temperature", "heads", "layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not (self.long_term or self.among_boxes):
            raise ValueError("set long_term, among_boxes or both")


class Projection(keras.layers.Layer):
    """Dense layer with batch norm and ReLU6.

    Args:
        units: Dimension of the output.
        seed: Seed of the initial weights, with `path`.
        path: Path of the layer in the model.
        kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, seed: int, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection = keras.layers.Dense(
            units,
            kernel_initializer=Initializer(GLOROT_UNIFORM, seed, path),
            bias_initializer=Constant(0.0),
            name="projection",
            dtype=self.dtype_policy,
        )
        # Synchronized: the original's kernel for vectors, unlike that for maps, updates
        # the moving variance with the biased one. Padding is part of its batch, too.
        self.batch_norm = BatchNorm(
            momentum=0.97,
            epsilon=0.001,
            synchronized=True,
            name="batch_norm",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Shape) -> None:
        """Creates the variables, for vectors `[b, n, d]`."""
        self.projection.build(input_shape)
        self.batch_norm.build((None, 1, None, self.projection.units))

    def call(self, vectors: Tensor, training: bool = False) -> Tensor:
        """Returns `[b, n, units]` of `vectors [b, n, d]`."""
        rows = self.projection(vectors)[:, None]
        return ops.relu6(self.batch_norm(rows, training=training)[:, 0])


class AttentionBlock(keras.layers.Layer):
    """Scaled dot-product attention of boxes over a bank of vectors.

    Args:
        attention: Options; only `bottleneck` and `temperature` are used.
        units: Dimension of the output.
        seed, path: As for `Projection`.
        kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self, attention: Attention, units: int, seed: int, path: str, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.temperature = attention.temperature
        sizes = dict.fromkeys(("query", "key", "value"), attention.bottleneck)
        self.query, self.key, self.value, self.feature = (
            Projection(size, seed, f"{path}/{name}", name=name, dtype=self.dtype_policy)
            for name, size in (sizes | {"feature": units}).items()
        )

    def build(self, boxes_shape: Shape, bank_shape: Shape) -> None:
        """Creates the variables."""
        self.query.build(boxes_shape)
        self.key.build(bank_shape)
        self.value.build(bank_shape)
        self.feature.build((None, None, self.value.projection.units))

    def call(
        self,
        boxes: Tensor,
        bank: Tensor,
        box_valid: Tensor,
        bank_valid: Tensor,
        training: bool = False,
    ) -> Tensor:
        """Returns the attention output `[b, p, units]`.

        Args:
            boxes: `[b, p, c]`, features for the queries.
            bank: `[b, n, d]`, features for keys and values; n must not be 0.
            box_valid: `[b, p]`; queries of invalid boxes are zeros.
            bank_valid: `[b, n]`; invalid rows get no attention. If all are invalid, the
                output is that of a zero value, equal for every box.
            training: Whether batch norms use the moments of the batch.
        """
        queries = _unit(self.query(boxes, training=training))
        keys = _unit(self.key(bank, training=training))
        values = _unit(self.value(bank, training=training))
        # In float32: a temperature of 0.01 magnifies rounding errors.
        mask = ops.cast(bank_valid, "float32")
        queries = queries * ops.cast(box_valid, "float32")[..., None]
        values = values * mask[..., None]
        logits = ops.matmul(queries, ops.swapaxes(keys * mask[..., None], 1, 2))
        logits = logits + ((1.0 - mask) * _MASKED_LOGIT)[:, None, :]  # [b, p, n]
        weights = ops.softmax(logits / self.temperature, axis=-1)
        return self.feature(ops.matmul(weights, values), training=training)


class ContextAttention(keras.layers.Layer):
    """Context features of boxes from the memory bank and from each other.

    The result is to be added to the features of the boxes. With one head, one layer and
    no self-attention it equals that of the original's TF2 code. The other options exist
    only in its TF1 code; the terms are those of TF1, except for the box features
    themselves, which TF1 adds two more times.

    Args:
        attention: Options of the attention.
        seed: Seed of the initial weights.
        kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, attention: Attention, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention
        self.seed = seed
        self.among_boxes: AttentionBlock | None = None
        self.long_term: list[list[AttentionBlock]] = []

    def build(self, boxes_shape: Shape, bank_shape: Shape) -> None:
        """Creates the variables, for `[b, p, c]` and `[b, n, d]`."""
        units = boxes_shape[-1]
        boxes, bank = (None, None, units), (None, None, bank_shape[-1])
        if self.attention.among_boxes:
            self.among_boxes = self._block(units, "self_attention")
            self.among_boxes.build(boxes, boxes)
        if self.attention.long_term:
            self.long_term = [
                [
                    self._block(units, f"long_term_{layer}_{head}")
                    for head in range(self.attention.heads)
                ]
                for layer in range(self.attention.layers)
            ]
            for block in itertools.chain(*self.long_term):
                block.build(boxes, bank)

    def call(
        self,
        boxes: Tensor,
        bank: Tensor,
        box_valid: Tensor,
        bank_size: Tensor,
        training: bool = False,
    ) -> Tensor:
        """Returns the context features to add to the boxes, `[b, p, c]`.

        Args:
            boxes: `[b, p, c]`, one feature vector per box.
            bank: `[b, n, d]`, the memory bank of each image, padded.
            box_valid: `[b, p]` bool.
            bank_size: `[b]` int32, number of valid rows at the start of each bank.
            training: Whether batch norms use the moments of the batch.
        """
        bank_valid = ops.arange(bank.shape[1], dtype="int32") < bank_size[:, None]
        context = None
        if self.among_boxes is not None:
            context = self.among_boxes(
                boxes, boxes, box_valid, box_valid, training=training
            )
        queries = boxes
        if context is not None and self.attention.in_sequence:
            queries = 0.5 * (boxes + ops.cast(context, boxes.dtype))
        for heads in self.long_term:
            outputs = [
                block(queries, bank, box_valid, bank_valid, training=training)
                for block in heads
            ]
            output = _mean(outputs)
            queries = queries + ops.cast(output, queries.dtype)
            context = output if context is None else context + output
        return context

    def compute_output_shape(self, boxes_shape: Shape, *_: Any, **__: Any) -> Shape:
        """Returns the shape of the boxes."""
        return tuple(boxes_shape)

    def _block(self, units: int, name: str) -> AttentionBlock:
        return AttentionBlock(
            self.attention,
            units,
            self.seed,
            f"{self.name}/{name}",
            name=name,
            dtype=self.dtype_policy,
        )


def _unit(vectors: Tensor) -> Tensor:
    """Returns vectors of length 1, float32; zeros stay zeros."""
    vectors = ops.cast(vectors, "float32")
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _TINY))


def _mean(outputs: list[Tensor]) -> Tensor:
    return outputs[0] if len(outputs) == 1 else sum(outputs) / len(outputs)
