"""Attention of the boxes of an image over a memory bank, and over each other.

Source: Beery et al. 2020 (https://arxiv.org/abs/1912.03538); the original's
meta_architectures/context_rcnn_lib_tf2.py, and for what that one refuses (several
heads and layers, self attention) its context_rcnn_lib.py.
"""

import dataclasses
import itertools

import keras
from keras import ops

from odapi.layers.initializers import GLOROT_UNIFORM, Constant, Initializer
from odapi.layers.norm import BatchNorm
from odapi.structures import Tensor

# Added to the attention logits of padding, before the temperature.
_FAR_BELOW = -100000.0
_TINY = 1e-12  # Of the squared length of a vector that is normalised.


@dataclasses.dataclass(frozen=True)
class Attention:
    """Who attends to what.

    Args:
        bottleneck: Numbers of a query, a key and a value.
        temperature: Divides the logits; near 0 the best key takes all.
        long_term: Boxes attend to the memory bank.
        among_boxes: Boxes attend to the boxes of the same image.
        in_sequence: The memory bank is asked with what boxes have learned from
            each other, not with the boxes alone.
        heads: Blocks whose answers are averaged.
        layers: Rounds; each asks with the answers of the rounds before added.

    Raises:
        ValueError: Numbers are out of range, or nobody attends to anything.
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
            raise ValueError("needs long_term, among_boxes or both")


class Projection(keras.layers.Layer):
    """A dense layer, batch norm and ReLU6.

    Args:
        units: Numbers of an output.
        seed: Of the initial weights, with `path`.
        path: Names the layer in the whole model.
        kwargs: As for any layer.
    """

    def __init__(self, units: int, seed: int, path: str, **kwargs):
        super().__init__(**kwargs)
        self.projection = keras.layers.Dense(
            units,
            kernel_initializer=Initializer(GLOROT_UNIFORM, seed, path),
            bias_initializer=Constant(0.0),
            name="projection",
            dtype=self.dtype_policy,
        )
        # Synchronized: the original's kernel for vectors, unlike that for maps, moves
        # the variance by the biased one. Padding is part of the batch there, too.
        self.batch_norm = BatchNorm(
            momentum=0.97,
            epsilon=0.001,
            synchronized=True,
            name="batch_norm",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        """Creates the variables, for vectors `[b, n, d]`."""
        self.projection.build(input_shape)
        self.batch_norm.build((None, 1, None, self.projection.units))

    def call(self, vectors, training=False):
        """Returns `[b, n, units]` of `vectors [b, n, d]`."""
        rows = self.projection(vectors)[:, None]
        return ops.relu6(self.batch_norm(rows, training=training)[:, 0])


class AttentionBlock(keras.layers.Layer):
    """Answers queries from a bank: similar keys weigh more.

    Args:
        attention: Its `bottleneck` and `temperature` count.
        units: Numbers of an answer.
        seed, path: As for `Projection`.
        kwargs: As for any layer.
    """

    def __init__(
        self, attention: Attention, units: int, seed: int, path: str, **kwargs
    ):
        super().__init__(**kwargs)
        self.temperature = attention.temperature
        sizes = dict.fromkeys(("query", "key", "value"), attention.bottleneck)
        self.query, self.key, self.value, self.feature = (
            Projection(size, seed, f"{path}/{name}", name=name, dtype=self.dtype_policy)
            for name, size in (sizes | {"feature": units}).items()
        )

    def build(self, boxes_shape, bank_shape):
        """Creates the variables."""
        self.query.build(boxes_shape)
        self.key.build(bank_shape)
        self.value.build(bank_shape)
        self.feature.build((None, None, self.value.projection.units))

    def call(self, boxes, bank, box_valid, bank_valid, training=False):
        """Returns answers `[b, p, units]`.

        Args:
            boxes: `[b, p, c]`, what is asked with.
            bank: `[b, n, d]`; n must not be 0.
            box_valid: `[b, p]`; other boxes ask with zeros.
            bank_valid: `[b, n]`; nobody attends to the others. Where all are padding
                the answer is that to an empty value, the same for every box.
            training: Whether batch norms take the moments of the batch.
        """
        queries = _unit(self.query(boxes, training=training))
        keys = _unit(self.key(bank, training=training))
        values = _unit(self.value(bank, training=training))
        # In float32: a temperature of 0.01 makes large numbers of small ones.
        real = ops.cast(bank_valid, "float32")
        queries = queries * ops.cast(box_valid, "float32")[..., None]
        values = values * real[..., None]
        logits = ops.matmul(queries, ops.swapaxes(keys * real[..., None], 1, 2))
        logits = logits + ((1.0 - real) * _FAR_BELOW)[:, None, :]  # [b, p, n]
        weights = ops.softmax(logits / self.temperature, axis=-1)
        return self.feature(ops.matmul(weights, values), training=training)


class ContextAttention(keras.layers.Layer):
    """What boxes learn from the memory bank and from each other.

    The result is to be added to the features of the boxes. With one head, one layer
    and no self attention it is that of the original's TF2 code. For the rest, which
    only its TF1 code has, the terms are those of TF1, but for the box features
    themselves: TF1 has added them twice more.

    Args:
        attention: Who attends to what.
        seed: Of the initial weights.
        kwargs: As for any layer.
    """

    def __init__(self, attention: Attention, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.attention = attention
        self.seed = seed
        self.among_boxes: AttentionBlock | None = None
        self.long_term: list[list[AttentionBlock]] = []

    def build(self, boxes_shape, bank_shape):
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

    def call(self, boxes, bank, box_valid, bank_size, training=False):
        """Returns what to add to the boxes, `[b, p, c]`.

        Args:
            boxes: `[b, p, c]`, one vector a box.
            bank: `[b, n, d]`, the memory bank of each image, padded.
            box_valid: `[b, p]` bool.
            bank_size: `[b]` int32, how many of a bank are real; the first ones.
            training: Whether batch norms take the moments of the batch.
        """
        bank_valid = ops.arange(bank.shape[1], dtype="int32") < bank_size[:, None]
        learned = None
        if self.among_boxes is not None:
            learned = self.among_boxes(
                boxes, boxes, box_valid, box_valid, training=training
            )
        asked = boxes
        if learned is not None and self.attention.in_sequence:
            asked = 0.5 * (boxes + ops.cast(learned, boxes.dtype))
        for heads in self.long_term:
            answers = [
                block(asked, bank, box_valid, bank_valid, training=training)
                for block in heads
            ]
            answer = _mean(answers)
            asked = asked + ops.cast(answer, asked.dtype)
            learned = answer if learned is None else learned + answer
        return learned

    def compute_output_shape(self, boxes_shape, *_, **__):
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


def _mean(answers: list[Tensor]) -> Tensor:
    return answers[0] if len(answers) == 1 else sum(answers) / len(answers)
