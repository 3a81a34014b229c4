"""Batches of pictures of many sizes for `fit`, which would take them for one."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

Pair = tuple[dict[str, Any], dict[str, Any]]

# Axes whose length follows the size of the pictures, by the field.
_AXES = {"images": (1, 2), "masks": (2, 3)}


def of_any_size(batches: Iterator[Pair]) -> Any:
    """Returns pairs (x, y) as `fit` takes them, whatever size pictures have.

    Keras reads the shapes for TensorFlow off the first two batches, and a picture of
    a third size would end the training.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    first = next(batches)
    signature = tuple(
        {
            name: tf.TensorSpec(_free(name, value.shape), value.dtype)
            for name, value in fields.items()
        }
        for fields in first
    )
    return tf.data.Dataset.from_generator(
        lambda: itertools.chain([first], batches), output_signature=signature
    )


def _free(name: str, shape: tuple[int, ...]) -> list[int | None]:
    return [
        None if axis in _AXES.get(name, ()) else length
        for axis, length in enumerate(shape)
    ]


def compile_by_size(detector: Any) -> None:
    """Makes `fit` compile a step for each size of pictures, on TensorFlow.

    Keras would compile for any size once it sees a second one, but anchors and
    padding are made for a size that is known. Elsewhere it is so anyway.
    """
    if keras.backend.backend() == "tensorflow" and not detector.run_eagerly:
        detector.train_function = _StepsBySize(detector)


class _StepsBySize:
    """A step of training, compiled once for each shape of a batch."""

    def __init__(self, detector: Any):
        self.detector = detector
        self._steps: dict[Any, Any] = {}

    def __call__(self, iterator: Iterator[Any]) -> Any:
        import tensorflow as tf

        data = next(iterator)
        shapes = tuple(np.shape(value) for value in tf.nest.flatten(data))
        if shapes not in self._steps:
            self._steps[shapes] = tf.function(
                self.detector.train_step,
                autograph=False,
                jit_compile=self.detector.jit_compile,
            )
        return self._steps[shapes](data)
